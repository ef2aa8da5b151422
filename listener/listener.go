package listener

import (
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/recycling-go/recycling/listener/proxyproto"
)

// A Listener is a listening socket, created by [Listen] or [FromFile]. It is a [net.Listener]. All
// methods are safe for concurrent use.
type Listener struct {
	sock      *socket
	addr      net.Addr
	keepAlive time.Duration      // of accepted connections; negative means off
	proxy     *proxyproto.Policy // nil: no peer is a proxy
	closed    chan struct{}      // closed by the first Close, before the socket is closed

	mu     sync.Mutex  // guards following
	unlink bool        // Close removes the path of a Unix socket
	file   fs.FileInfo // at that path, while it was this socket's; nil if not known
}

// Accept waits for the next connection and returns it, a [*net.TCPConn] or a [*net.UnixConn], or a
// [*proxyproto.Conn] on one of these if its peer is a proxy: see [Config]. Once the Listener is
// closed it returns a [*net.OpError] that wraps [net.ErrClosed].
//
// A server that accepts with a [Raw] should not call it: the first call also adds the socket to the
// runtime's poller.
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
	if l.proxy != nil {
		return l.proxy.Conn(c), nil
	}
	return c, nil
}

// ProxyProtocol returns the Policy that says which peers are proxies, or nil if none is: see
// [Config].
func (l *Listener) ProxyProtocol() *proxyproto.Policy { return l.proxy }

// setKeepAlive undoes what package net did to an accepted connection: package net ignores inherited
// options, and sets its default. That can fail only if the connection is already gone, which the
// next read or write reports.
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

// Close stops listening. When it returns, the address is free again, unless a [Listener.File] is
// still open somewhere. Connections that were not accepted are reset, and a blocked Accept returns.
// Accepted connections stay open. A second call returns a [*net.OpError] that wraps
// [net.ErrClosed].
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return l.opError("close", net.ErrClosed)
	default:
	}
	if path, ok := l.path(); ok && l.unlink && l.ownsLocked(path) {
		os.Remove(path) // before closing, as in package net; it may be gone already
	}
	close(l.closed) // first, since sock.close may wait for a Hold that waits for this
	if err := l.sock.close(); err != nil {
		return l.opError("close", err)
	}
	return nil
}

// Addr returns the address of the socket, a [*net.TCPAddr] or a [*net.UnixAddr].
func (l *Listener) Addr() net.Addr { return l.addr }

// SetUnlinkOnClose sets whether [Listener.Close] removes the path of a Unix socket. The default is
// true after [Listen] and false after [FromFile]. A process that has passed the socket on to
// another sets it to false before it closes its own.
//
// Close removes the path only if it still names the same file: the one that Listen created, or the
// one that was there at the first call with true. Another process may have taken the path since.
func (l *Listener) SetUnlinkOnClose(unlink bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unlink = unlink
	if path, ok := l.path(); ok && unlink && l.file == nil {
		l.file, _ = os.Lstat(path)
	}
}

// path returns the path of a Unix socket, and whether it has one.
func (l *Listener) path() (string, bool) {
	path := l.addr.String()
	return path, l.addr.Network() == "unix" && path != "" && !strings.HasPrefix(path, "@")
}

// ownsLocked reports whether the file at path is this socket's. The inode number is not reused
// while the socket is open.
func (l *Listener) ownsLocked(path string) bool {
	if l.file == nil {
		return false
	}
	file, err := os.Lstat(path)
	return err == nil && os.SameFile(l.file, file)
}

// File returns a duplicate of the socket for another process, which calls [FromFile] on it; see
// [os/exec.Cmd.ExtraFiles]. The caller must close the file, and should do so once the file has been
// passed on: the system keeps listening until the last duplicate is closed.
//
// Blocking mode is a property of the socket, not of the descriptor: the receiver of the file must
// leave it nonblocking.
func (l *Listener) File() (*os.File, error) {
	f, err := l.sock.file(l.addr.Network() + ":" + l.addr.String())
	if err != nil {
		return nil, l.opError("file", err)
	}
	return f, nil
}

// SyscallConn gives access to the descriptor, for options that [Config] does not have. Only its
// Control method is useful: a listening socket cannot be read from or written to.
func (l *Listener) SyscallConn() (syscall.RawConn, error) {
	return l.sock.syscallConn()
}

func (l *Listener) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: l.addr.Network(), Addr: l.addr, Err: err}
}
