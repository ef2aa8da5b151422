package listener

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// Listen announces on the local address with the zero [Config].
func Listen(ctx context.Context, network, address string) (*Listener, error) {
	return new(Config).Listen(ctx, network, address)
}

// Listen announces on the local address. The network must be "tcp", "tcp4", "tcp6" or "unix"; the
// address has the same format and meaning as for [net.Listen]. The context is used only while the
// address is resolved, and does not affect the Listener.
//
// Any other network is a [net.UnknownNetworkError]. If the address is not available, or the system
// rejects an option, the error is the system's, wrapped in a [*net.OpError]: errors.Is(err,
// syscall.EADDRINUSE) reports a port in use.
func (c *Config) Listen(ctx context.Context, network, address string) (*Listener, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	switch network {
	case "tcp", "tcp4", "tcp6", "unix":
	default:
		return nil, fmt.Errorf("listener: %w", &net.OpError{Op: "listen", Net: network, Err: net.UnknownNetworkError(network)})
	}
	lc := net.ListenConfig{Control: func(network, _ string, rc syscall.RawConn) error {
		return c.setOptions(rc, strings.HasPrefix(network, "tcp"))
	}}
	// Package net would use Multipath TCP. Which options such a socket supports, and which of them
	// accepted sockets inherit, depends on the kernel version.
	lc.SetMultipathTCP(false)
	nl, err := lc.Listen(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("listener: %w", err)
	}
	l, err := c.own(nl.(netListener), false)
	if err != nil {
		return nil, fmt.Errorf("listener: %w", &net.OpError{Op: "listen", Net: network, Addr: nl.Addr(), Err: err})
	}
	l.SetUnlinkOnClose(true)
	return l, nil
}

// own returns a Listener that takes over nl's socket; nl must not be used afterwards. shared says
// that other processes may hold the socket too.
func (c *Config) own(nl netListener, shared bool) (*Listener, error) {
	if c.Backlog > 0 {
		rc, err := nl.SyscallConn()
		if err == nil {
			err = control(rc, c.setBacklog)
		}
		if err != nil {
			nl.Close()
			return nil, err
		}
	}
	s, err := newSocket(nl, shared)
	if err != nil {
		nl.Close()
		return nil, err
	}
	proxy, _ := c.proxyPolicy() // was checked
	return &Listener{
		sock:      s,
		addr:      nl.Addr(),
		keepAlive: c.keepAlive(),
		proxy:     proxy,
		closed:    make(chan struct{}),
	}, nil
}

// A netListener is a [*net.TCPListener] or a [*net.UnixListener].
type netListener interface {
	net.Listener
	syscall.Conn
	File() (*os.File, error)
}

// control runs f with rc's descriptor, and returns f's error or rc's own.
func control(rc syscall.RawConn, f func(fd uintptr) error) error {
	var err error
	if cerr := rc.Control(func(fd uintptr) { err = f(fd) }); cerr != nil {
		return cerr
	}
	return err
}
