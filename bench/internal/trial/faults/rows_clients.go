package faults

import (
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Rows with clients that stall or vanish.

// headerTime is the ReadHeaderTimeout of rows that wait for it to expire.
const headerTime = time.Second

// ends expects the server to close all connections.
func (t *trial) ends(all []*client) error {
	return t.each(len(all), func(i int) error {
		defer all[i].Close()
		_, err := all[i].end()
		return err
	})
}

// dials opens n connections.
func (t *trial) dials(p *process, n int) ([]*client, error) {
	all := make([]*client, n)
	err := t.each(n, func(i int) (err error) {
		all[i], err = t.dial(p)
		return err
	})
	for _, c := range all {
		if c != nil {
			t.later(func() { c.Close() })
		}
	}
	return all, err
}

func slowHeaders(t *trial) error {
	return t.with(setup{ReadHeader: 2 * headerTime}, func(p *process) error {
		n := t.few(200, 1000)
		all, err := t.dials(p, n)
		if err != nil {
			return err
		}
		end := make(chan struct{})
		dripped := make(chan struct{})
		go func() {
			defer close(dripped)
			text := "GET / HTTP/1.1\r\nHost: test\r\nX-Slow: " + strings.Repeat("x", 1000)
			for i := range text {
				for _, c := range all {
					// The send may fail, because the row waits for the server to close the
					// connections.
					c.send(text[i : i+1])
				}
				select {
				case <-end:
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		}()
		defer func() { close(end); <-dripped }()
		most := 0
		for range 5 {
			if err := t.prompt(p); err != nil {
				return err
			}
			r, err := p.report()
			if err != nil {
				return err
			}
			most = max(most, r.Goroutines-p.start.Goroutines)
			time.Sleep(100 * time.Millisecond)
		}
		if t.recycling && most > n/4 {
			return fmt.Errorf("%d connections held %d goroutines", n, most)
		}
		t.note("%d connections held %d goroutines", n, most)
		return t.ends(all)
	})
}

func silence(t *trial) error {
	for _, s := range []setup{{ReadHeader: headerTime}, {ReadHeader: headerTime, TLS: true}} {
		err := t.with(s, func(p *process) error {
			var all []*client
			for range t.few(50, 500) {
				c, err := t.tcp(p)
				if err != nil {
					return err
				}
				all = append(all, c)
			}
			if err := t.prompt(p); err != nil {
				return err
			}
			return t.ends(all)
		})
		if err != nil {
			return fmt.Errorf("TLS %v: %w", s.TLS, err)
		}
	}
	return nil
}

func slowBodies(t *trial) error {
	return t.with(setup{Body: headerTime}, func(p *process) error {
		n := t.few(20, 200)
		all, err := t.dials(p, n)
		if err != nil {
			return err
		}
		for _, c := range all {
			if err := c.send("POST /read HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n"); err != nil {
				return err
			}
		}
		begin := time.Now()
		for time.Since(begin) < 3*headerTime {
			for _, c := range all {
				c.send("x")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if err := t.prompt(p); err != nil {
			return err
		}
		r, err := p.report()
		if err != nil {
			return err
		}
		if seen := r.Events["read timeout"]; seen < n {
			for _, c := range all {
				c.Close()
			}
			return fmt.Errorf("without ReadTimeout, %d of %d bodies of 10 bytes per second are read without end", n-seen, n)
		}
		return t.ends(all)
	})
}

func neverReading(t *trial) error {
	return t.with(setup{Write: headerTime}, func(p *process) error {
		n := t.few(20, 100)
		all, err := t.dials(p, n)
		if err != nil {
			return err
		}
		for _, c := range all {
			c.tcp.(*net.TCPConn).SetReadBuffer(1)
			if err := c.send(request("/big?n=100000000")); err != nil {
				return err
			}
		}
		if err := t.prompt(p); err != nil {
			return err
		}
		r, err := p.report()
		if err != nil {
			return err
		}
		each := max(0, int(r.Heap)-int(p.start.Heap)) / n
		if each > 256<<10 {
			return fmt.Errorf("each takes %d kB", each>>10)
		}
		t.note("%d kB of heap each", each>>10)
		if err := t.event(p, "write failed", n); err != nil {
			return err
		}
		for _, c := range all {
			c.Close()
		}
		return nil
	})
}

func fullWindowReset(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		const n = 10
		all, err := t.dials(p, n)
		if err != nil {
			return err
		}
		for _, c := range all {
			c.tcp.(*net.TCPConn).SetReadBuffer(1)
			if err := c.send(request("/stream")); err != nil {
				return err
			}
		}
		time.Sleep(300 * time.Millisecond) // until the windows are full
		for _, c := range all {
			c.reset()
		}
		if err := t.event(p, "write failed", n); err != nil {
			return err
		}
		return t.event(p, "cancelled", n)
	})
}

func halfCloseAfter(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		return t.each(20, func(i int) error {
			c, err := t.dial(p)
			if err != nil {
				return err
			}
			defer c.Close()
			if err := c.send(request("/echo?wait=100ms&q=whole")); err != nil {
				return err
			}
			if err := c.closeWrite(); err != nil {
				return err
			}
			if err := c.expect("whole"); err != nil {
				return err
			}
			_, err = c.end()
			return err
		})
	})
}

func halfCloseInBody(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		const n = 20
		all, err := t.dials(p, n)
		if err != nil {
			return err
		}
		for _, c := range all {
			if err := c.send("POST /read HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n" + strings.Repeat("x", 50)); err != nil {
				return err
			}
			if err := c.closeWrite(); err != nil {
				return err
			}
		}
		if err := t.event(p, "read cut", n); err != nil {
			return err
		}
		return t.ends(all)
	})
}

func resets(t *trial) error {
	for name, text := range map[string]string{
		"header":   "GET / HTTP/1.1\r\nHost: te",
		"body":     "POST /read HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nbody",
		"response": request("/big?n=50000000"),
		"pipeline": strings.Repeat(request("/echo?q=a"), 20),
		"nothing":  "",
	} {
		err := t.with(setup{}, func(p *process) error {
			err := t.each(t.few(50, 500), func(i int) error {
				c, err := t.dial(p)
				if err != nil {
					return err
				}
				defer c.reset()
				if err := c.send(text); err != nil {
					return err
				}
				if name == "response" || name == "pipeline" {
					_, err = c.r.ReadByte()
				} else if i%2 == 0 {
					time.Sleep(10 * time.Millisecond) // so that the server has read the bytes
				}
				return err
			})
			if err != nil {
				return err
			}
			if err := t.invariants(p); err != nil {
				return err
			}
			if n := p.messages.count(); n > 0 {
				return fmt.Errorf("%d messages in the log, such as %q", n, p.lastMessage())
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("in the %s: %w", name, err)
		}
	}
	return nil
}

func resetBeforeAccept(t *trial) error {
	return t.with(setup{}, func(p *process) error {
		if err := p.signal("STOP"); err != nil {
			return err
		}
		defer p.signal("CONT") // if the function returns early
		err := t.each(50, func(i int) error {
			c, err := t.dial(p)
			if err != nil {
				return err
			}
			defer c.reset()
			return c.send(request("/")[:i%2*10])
		})
		if err != nil {
			return err
		}
		return p.signal("CONT")
	})
}

func lingering(t *trial) error {
	for name, head := range map[string]string{
		"malformed":   "GET / HTTP/1.1\r\nHost: test\r\nBad Header: 1\r\n\r\n",
		"too large":   "GET / HTTP/1.1\r\nHost: test\r\nX-Large: ",
		"unread body": "POST /unread HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000\r\n\r\n",
	} {
		err := t.with(setup{}, func(p *process) error {
			return t.each(4, func(i int) error {
				c, err := t.dial(p)
				if err != nil {
					return err
				}
				defer c.Close()
				if err := c.send(head + strings.Repeat("x", 3<<20)); err != nil {
					return fmt.Errorf("while sending what is refused: %w", err)
				}
				status, _, err := c.answer("GET")
				if err != nil {
					return fmt.Errorf("the answer could not be read: %w", err)
				}
				if name != "unread body" && (status < 400 || status >= 500) {
					return fmt.Errorf("answered with %d", status)
				}
				_, err = c.end()
				return err
			})
		})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// raw reads a response without parsing it: its head, and a body of n bytes.
func (c *client) raw(n int) (head, body string, err error) {
	for !strings.HasSuffix(head, "\r\n\r\n") {
		line, err := c.r.ReadString('\n')
		head += line
		if err != nil {
			return head, "", err
		}
	}
	b := make([]byte, n)
	_, err = io.ReadFull(c.r, b)
	return head, string(b), err
}
