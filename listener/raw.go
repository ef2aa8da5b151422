package listener

import (
	"net"

	"github.com/recycling-go/recycling/listener/proxyproto"
)

// A Raw accepts from a listening socket without creating a [net.Conn], with one system call per
// connection. It is for servers that wait for connections with their own epoll set, and exists only
// on Linux.
//
// A Raw does not own the socket. Its Listener closes it, and no method uses the descriptor after
// that. All methods are safe for concurrent use.
type Raw struct {
	src    source
	addr   net.Addr
	closed <-chan struct{}
	proxy  *proxyproto.Policy
}

// A source is a listening socket that other code may close at any time.
type source interface {
	control(f func(fd int)) error
	beforeClose(f func(fd int))
	accept(a *Addr) (int, error)
	hold(f func()) error
	isShared() bool
	dropNew()
}

// NewRaw returns a Raw for l's socket, and whether there is one. On Linux there is one if l is a
// [*Listener], a [*net.TCPListener] or a [*net.UnixListener] of the network "unix". A type that
// embeds one of these is a different listener, and has no Raw.
//
// NewRaw sets the options on a TCP socket of package net that package net would set on each
// accepted connection: TCP_NODELAY, and keep-alive as in the zero [Config], regardless of the
// [net.ListenConfig], which is not known. It leaves TCP_DEFER_ACCEPT unchanged.
func NewRaw(l net.Listener) (*Raw, bool) { return newRaw(l) }

// Control runs f with the descriptor, which stays open until f returns. f must not close the
// listener. Once the listener is closed, Control returns [net.ErrClosed].
//
// Closing removes the descriptor from every epoll set, unless a duplicate is open elsewhere, for
// example in a process that got [Listener.File]: then the set keeps reporting events of the socket.
// Use BeforeClose to remove it in time.
func (r *Raw) Control(f func(fd int)) error { return r.src.control(f) }

// BeforeClose makes the [*Listener] call f with its descriptor when it is closed, while the
// descriptor is still open. f must not use the listener. For a listener of package net, f is never
// called.
func (r *Raw) BeforeClose(f func(fd int)) { r.src.beforeClose(f) }

// Hold runs f, and keeps the socket listening until f returns: Close of the listener waits for f,
// and Accept works until then. So f can wait until Closed or Control reports that the listener is
// being closed, accept the pending connections, and return. Nothing else tells f that the listener
// is being closed. f must not close the listener. If the listener is already closed, Hold returns
// [net.ErrClosed].
func (r *Raw) Hold(f func()) error { return r.src.hold(f) }

// Accept accepts one connection and returns its descriptor, nonblocking and close-on-exec, which
// the caller owns. It stores the address of the peer in a, which must not be nil.
//
// Accept does not wait. The error is a bare [syscall.Errno]: EAGAIN if there is no connection, and
// otherwise any error of accept(2), most of which (ECONNABORTED, EMFILE, ENOBUFS...) are no reason
// to stop accepting. Once the listener is closed, the error is [net.ErrClosed].
func (r *Raw) Accept(a *Addr) (fd int, err error) { return r.src.accept(a) }

// AcceptSilent turns TCP_DEFER_ACCEPT off, where the system has it: from then on, connections that
// have sent nothing are accepted too, so that none is left behind when the listener is closed.
func (r *Raw) AcceptSilent() { r.src.control(acceptSilent) }

// DropNew makes the kernel ignore clients that begin to connect from now on, where the system can
// do that. Connections that have begun before are completed and can be accepted, so that the
// listener can be closed without resetting one that was completed after the last Accept. A client
// that is ignored tries again after a second, and is then refused.
//
// DropNew has no effect on a socket that is Shared, and its effect ends when the socket becomes
// Shared, because other code may continue to accept from it.
func (r *Raw) DropNew() { r.src.dropNew() }

// Closed returns a channel that is closed when the listener is closed, or about to be: see
// [Raw.Hold]. It is nil for a listener of package net, which does not report its closing: poll with
// [Raw.Control] instead.
func (r *Raw) Closed() <-chan struct{} { return r.closed }

// Shared reports whether other code may hold the socket, and so change its options: the socket came
// from package net or from another process, or was given away by SyscallConn or File.
func (r *Raw) Shared() bool { return r.src.isShared() }

// ProxyProtocol returns that of the listener. Accept does not read headers, so if the result is not
// nil, the caller has to do that.
func (r *Raw) ProxyProtocol() *proxyproto.Policy { return r.proxy }

// Network returns the name of the network, "tcp" or "unix".
func (r *Raw) Network() string { return r.addr.Network() }

// Addr returns the address of the listener.
func (r *Raw) Addr() net.Addr { return r.addr }
