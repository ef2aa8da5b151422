package listener

import "net"

// A Raw accepts from a listening socket without making a [net.Conn]: one system call for
// a connection. It is for servers that wait for connections with an epoll set of their own, and
// there is none on systems other than Linux.
//
// A Raw does not own the socket. It is closed by its Listener, and no method
// touches the descriptor afterwards. All methods may be called from several goroutines at once.
type Raw struct {
	src    source
	addr   net.Addr
	closed <-chan struct{}
}

// A source is a listening socket that somebody may close at any time.
type source interface {
	control(f func(fd int)) error
	beforeClose(f func(fd int))
	accept(a *Addr) (int, error)
}

// NewRaw returns a Raw on l's socket, and whether there is one: that is so on Linux for
// a [*Listener], a [*net.TCPListener] and a [*net.UnixListener] of the network "unix". A type
// that embeds one of these is a listener of its own kind, and has no Raw.
//
// A TCP socket of package net gets the options that package net would set on each connection
// accepted: TCP_NODELAY, and keep-alive as in the zero [Config], whatever its
// [net.ListenConfig] said, for that cannot be known. If the system does not take them, connections
// go without. TCP_DEFER_ACCEPT is left as it is.
func NewRaw(l net.Listener) (*Raw, bool) { return newRaw(l) }

// Control runs f with the descriptor, which stays open until f returns. F must not close the
// listener. Once that is closed, Control returns [net.ErrClosed].
//
// Closing takes the descriptor out of every epoll set, except when a duplicate is open
// elsewhere, in a process that got [Listener.File]: then the set goes on reporting what happens to
// the socket. BeforeClose is the moment to take it out.
func (r *Raw) Control(f func(fd int)) error { return r.src.control(f) }

// BeforeClose makes the [*Listener] call f with its descriptor when it is closed, while that is still open. F must
// not use the listener. Listeners of package net call nobody.
func (r *Raw) BeforeClose(f func(fd int)) { r.src.beforeClose(f) }

// Accept takes one connection and returns its descriptor, nonblocking and close-on-exec, which
// belongs to the caller. The address of the peer is stored in a, which must not be nil.
//
// Accept does not wait. An error is the bare [syscall.Errno]: EAGAIN when there is no connection,
// and otherwise what accept(2) lists, where most (ECONNABORTED, EMFILE, ENOBUFS...) are no reason to
// stop accepting. Once the listener is closed it is [net.ErrClosed].
func (r *Raw) Accept(a *Addr) (fd int, err error) { return r.src.accept(a) }

// AcceptSilent ends TCP_DEFER_ACCEPT, as far as the system has it: from now on connections that have sent nothing are
// accepted too, so that none of them is left behind when the listener is closed.
func (r *Raw) AcceptSilent() { r.src.control(acceptSilent) }

// Closed returns a channel that is closed when the listener has been closed. It is
// nil for a listener of package net, of which nothing tells: ask with [Raw.Control] now and then.
func (r *Raw) Closed() <-chan struct{} { return r.closed }

// Network returns the name of the network, "tcp" or "unix".
func (r *Raw) Network() string { return r.addr.Network() }

// Addr returns the address of the listener.
func (r *Raw) Addr() net.Addr { return r.addr }
