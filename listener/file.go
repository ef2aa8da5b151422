package listener

import (
	"fmt"
	"net"
	"os"
)

// FromFile returns a Listener on a socket that is open already, with the zero [Config].
func FromFile(f *os.File) (*Listener, error) {
	return new(Config).FromFile(f)
}

// FromFile returns a Listener on a socket that is open already: in a parent process, which
// passed on its [Listener.File], or in systemd, which numbers them from 3 up (sd_listen_fds).
// The Listener has a descriptor of its own, and the caller should close f. The socket is made
// nonblocking and gets c's options, for everybody who shares it; its backlog is changed only
// where c.Backlog is not zero.
//
// Anything but a listening TCP or Unix stream socket is an error.
// The path of a Unix socket outlives the Listener, unless [Listener.SetUnlinkOnClose] says else.
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
	rc, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	if err := control(rc, checkListening); err != nil {
		return nil, err
	}
	l, err := net.FileListener(f)
	if err != nil {
		if op, ok := err.(*net.OpError); ok {
			err = op.Err // the rest of it says "file" again
		}
		return nil, err
	}
	nl := l.(netListener)
	if rc, err = nl.SyscallConn(); err == nil {
		err = c.setOptions(rc, nl.Addr().Network() == "tcp")
	}
	if err != nil {
		nl.Close()
		return nil, err
	}
	return c.own(nl, true)
}
