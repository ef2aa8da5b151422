package listener

import (
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Listener is a listening socket, made by [Listen] or [FromFile]. It is a [net.Listener].
// All methods may be called from several goroutines at once.
type Listener struct {
	sock      *socket
	addr      net.Addr
	keepAlive time.Duration // of accepted connections; negative: off
	closed    chan struct{} // closed by the first Close, when the socket is

	mu     sync.Mutex // guards following
	unlink bool       // Close removes the path of a Unix socket
}

// Accept waits for the next connection and returns it, a [*net.TCPConn] or a [*net.UnixConn].
// Once the Listener is closed it returns a [*net.OpError] around [net.ErrClosed].
//
// A server that accepts with a [Raw] has no need of it: the first call hands
// the socket to the runtime's poller as well.
func (l *Listener) Accept() (net.Conn, error) {
	std, err := l.sock.listener()
	if err != nil {
		return nil, l.opError("accept", err)
	}
	c, err := std.Accept()
	if err != nil {
		return nil, err
	}
	if c, ok := c.(*net.TCPConn); ok && l.keepAlive != defaultKeepAlive {
		l.setKeepAlive(c)
	}
	return c, nil
}

// setKeepAlive undoes what package net did to an accepted connection: it does not know of
// inherited options, and sets its default. That can only fail when the connection is
// gone already, of which the next read or write tells.
func (l *Listener) setKeepAlive(c *net.TCPConn) {
	if l.keepAlive < 0 {
		c.SetKeepAlive(false)
		return
	}
	c.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable:   true,
		Idle:     l.keepAlive,
		Interval: l.keepAlive,
		Count:    keepAliveCount,
	})
}

// Close stops listening. The address is free again when it returns, unless a [Listener.File]
// is still open somewhere; connections that nobody has accepted are reset, and a blocked Accept
// is woken. Connections that were accepted stay open.
// A second call returns a [*net.OpError] around [net.ErrClosed].
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return l.opError("close", net.ErrClosed)
	default:
	}
	if path := l.addr.String(); l.unlink && l.addr.Network() == "unix" && !strings.HasPrefix(path, "@") {
		os.Remove(path) // before closing, as package net does; it may be gone already
	}
	err := l.sock.close()
	close(l.closed)
	if err != nil {
		return l.opError("close", err)
	}
	return nil
}

// Addr returns the address of the socket, a [*net.TCPAddr] or a [*net.UnixAddr].
func (l *Listener) Addr() net.Addr { return l.addr }

// SetUnlinkOnClose says whether [Listener.Close] removes the path of a Unix socket. That is so
// after [Listen], and not so after [FromFile]. A process that passed the socket
// on to another says false before it closes its own.
func (l *Listener) SetUnlinkOnClose(unlink bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unlink = unlink
}

// File returns a duplicate of the socket for another process, which is to call [FromFile], as in
// [os/exec.Cmd.ExtraFiles]. The caller closes it, and should as soon as it was
// passed on: the system keeps listening until the last duplicate is closed.
//
// Whether it blocks is a property of the socket, not of the descriptor: whoever gets
// the file must leave it nonblocking.
func (l *Listener) File() (*os.File, error) {
	f, err := l.sock.file(l.addr.Network() + ":" + l.addr.String())
	if err != nil {
		return nil, l.opError("file", err)
	}
	return f, nil
}

// SyscallConn gives access to the descriptor, for options that [Config] does not have. Only its
// Control method is of use: a listening socket is not read from or written to.
func (l *Listener) SyscallConn() (syscall.RawConn, error) {
	return l.sock.syscallConn()
}

func (l *Listener) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: l.addr.Network(), Addr: l.addr, Err: err}
}
