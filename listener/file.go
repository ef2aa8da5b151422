package listener

import (
	"fmt"
	"net"
	"os"
)

// FromFile returns a Listener for a socket that is already open, using the zero [Config].
func FromFile(f *os.File) (*Listener, error) {
	return new(Config).FromFile(f)
}

// FromFile returns a Listener for a socket that is already open: one passed on by a parent process
// with [Listener.File], or by systemd, which numbers descriptors from 3 (sd_listen_fds). The
// Listener has its own descriptor, and the caller should close f. FromFile makes the socket
// nonblocking and sets c's options on it, for every process that shares it; it changes the backlog
// only if c.Backlog is not zero.
//
// Anything but a listening TCP or Unix stream socket is an error. The path of a Unix socket is kept
// when the Listener is closed, unless changed with [Listener.SetUnlinkOnClose].
func (c *Config) FromFile(f *os.File) (*Listener, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if f == nil {
		return nil, fmt.Errorf("listener: file: %w", os.ErrInvalid)
	}
	l, err := c.fromFile(f)
	if err != nil {
		return nil, fmt.Errorf("listener: file %q: %w", f.Name(), err)
	}
	return l, nil
}

func (c *Config) fromFile(f *os.File) (*Listener, error) {
	l, err := fileListener(f)
	if err != nil {
		if op, ok := err.(*net.OpError); ok {
			err = op.Err // the rest of the text says "file" again
		}
		return nil, err
	}
	nl := l.(netListener)
	rc, err := nl.SyscallConn()
	if err == nil {
		err = c.setOptions(rc, nl.Addr().Network() == "tcp")
	}
	if err != nil {
		nl.Close()
		return nil, err
	}
	return c.own(nl, true)
}
