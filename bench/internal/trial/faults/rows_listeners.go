package faults

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
)

// Rows with different listeners.

func listeners(t *trial) error {
	dir, err := os.MkdirTemp("", "bench-faults-")
	if err != nil {
		return err
	}
	t.later(func() { os.RemoveAll(dir) })
	kinds := []setup{
		{Listener: "unix", Address: filepath.Join(dir, "s")},
		{Listener: "wrapped"},
		{Listener: "limited"},
		{Listener: "tls", TLS: true},
	}
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		l.Close()
		kinds = append(kinds, setup{Listener: "tcp6", Address: "[::1]:0"})
	} else {
		t.note("without IPv6")
	}
	for _, s := range kinds {
		if err := t.with(s, t.serves); err != nil {
			return fmt.Errorf("%s: %w", s.Listener, err)
		}
	}
	return nil
}

// serves expects p to serve keep-alive requests, and to close the connection after the last one.
func (t *trial) serves(p *process) error {
	return t.each(5, func(int) error {
		c, err := t.dial(p)
		if err != nil {
			return err
		}
		defer c.Close()
		for range 10 {
			if err := c.ask(request("/echo?q=a"), "a"); err != nil {
				return err
			}
		}
		if err := c.ask("GET /echo?q=b HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", "b"); err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, c.r)
		return err
	})
}

func badListeners(t *trial) error {
	t.note("a listener that is no map key; nil connections are not tried")
	return t.with(setup{Listener: "uncomparable"}, t.serves)
}
