package listener

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func newRaw(l net.Listener) (*Raw, bool) {
	switch l := l.(type) {
	case *Listener:
		return &Raw{src: l.sock, addr: l.addr, closed: l.closed, proxy: l.proxy}, true
	case *net.TCPListener:
		return borrow(l)
	case *net.UnixListener:
		if l.Addr().Network() != "unix" {
			return nil, false // unixpacket is not a stream
		}
		return borrow(l)
	}
	return nil, false
}

// A borrowed is a listener of package net, which guards its own descriptor.
type borrowed struct {
	conn   syscall.RawConn
	guards guards

	// Each accept goes through conn.Control. Passing a function literal would allocate for each
	// call, so there is one function for all, which finds its argument and stores its results here.
	mu   sync.Mutex // guards following; held during an accept
	call func(fd uintptr)
	tcp  bool
	// past is set once no connection is pending that was made before the options were set on the
	// listening socket.
	past bool
	held int // the descriptor during hold; -1 otherwise
	addr *Addr
	fd   int
	err  error
}

func borrow(l netListener) (*Raw, bool) {
	rc, err := l.SyscallConn()
	if err != nil {
		return nil, false
	}
	b := &borrowed{conn: rc, held: -1}
	b.call = func(fd uintptr) {
		b.fd, b.err = accept4(int(fd), b.addr, &b.guards)
		switch {
		case b.past:
		case b.err == unix.EAGAIN:
			b.past = true
		case b.err == nil && b.tcp:
			setInherited(b.fd, defaultKeepAlive)
		}
	}
	if l.Addr().Network() == "tcp" {
		b.tcp = true
		// As in package net, an error is ignored: connections work without the options.
		control(rc, func(fd uintptr) error { return setInherited(int(fd), defaultKeepAlive) })
	}
	return &Raw{src: b, addr: l.Addr()}, true
}

func (b *borrowed) control(f func(fd int)) error {
	return bare(b.conn.Control(func(fd uintptr) { f(int(fd)) }))
}

func (b *borrowed) beforeClose(func(fd int)) {} // package net does not report it

func (b *borrowed) accept(a *Addr) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addr = a
	err := b.conn.Control(b.call)
	if err != nil && b.held >= 0 { // it is being closed
		b.call(uintptr(b.held))
		err = nil
	}
	b.addr = nil
	if err != nil {
		return -1, bare(err)
	}
	return b.fd, b.err
}

// hold makes Close wait for f: package net closes a descriptor when nothing uses it any more, and
// Close returns only then.
func (b *borrowed) hold(f func()) error {
	return bare(b.conn.Control(func(fd uintptr) {
		b.setHeld(int(fd))
		defer b.setHeld(-1)
		f()
	}))
}

func (b *borrowed) isShared() bool { return true }

func (b *borrowed) dropNew() {} // other code may go on to use the socket

func (b *borrowed) setHeld(fd int) {
	b.mu.Lock()
	b.held = fd
	b.mu.Unlock()
}

// bare returns net.ErrClosed for an error that wraps it, and other errors unchanged.
func bare(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	return err
}

// accept4 accepts one connection from fd, which is nonblocking. If the socket is shared, others may
// make it blocking at any moment, so the caller passes the guards of the listener, and otherwise
// nil. With them, accept4 first makes the socket nonblocking, and tells Go's scheduler of the
// system call: one that blocks would stop the world.
func accept4(fd int, a *Addr, ifShared *guards) (int, error) {
	if ifShared != nil {
		ensureNonblock(fd)
		defer ifShared.enter(fd).leave()
	}
	for {
		a.sa.len = unix.SizeofSockaddrAny
		var n uintptr
		var e syscall.Errno
		if ifShared != nil {
			n, _, e = syscall.Syscall6(unix.SYS_ACCEPT4, uintptr(fd),
				uintptr(unsafe.Pointer(&a.sa.any)), uintptr(unsafe.Pointer(&a.sa.len)),
				unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		} else {
			n, _, e = syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd),
				uintptr(unsafe.Pointer(&a.sa.any)), uintptr(unsafe.Pointer(&a.sa.len)),
				unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		}
		if e == 0 {
			return int(n), nil
		}
		a.sa.len = 0
		if e != unix.EINTR {
			return -1, e
		}
	}
}

// ensureNonblock makes a socket nonblocking again that other code has made blocking.
func ensureNonblock(fd int) {
	flags, _, e := syscall.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFL, 0)
	if e == 0 && flags&unix.O_NONBLOCK == 0 {
		unix.SetNonblock(fd, true)
	}
}

// dropNewFilter is a socket filter (bpf(4), SO_ATTACH_FILTER in socket(7)) that drops the segments
// with which a connection begins: those with SYN and without ACK. It sees them from their TCP
// header on, whose byte 13 has the flags (RFC 9293, section 3.1). Accepted connections inherit it,
// and get no such segments.
var dropNewFilter = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: flagSYN | flagACK},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: flagSYN, Jt: 0, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	{Code: unix.BPF_RET | unix.BPF_K, K: 1<<32 - 1}, // keep all of it
}

const flagSYN, flagACK = 0x02, 0x10

func dropNew(fd int) {
	// If the system does not allow it, the listener is closed as it would be without it.
	unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{
		Len:    uint16(len(dropNewFilter)),
		Filter: &dropNewFilter[0],
	})
}

// acceptNew undoes dropNew.
func acceptNew(fd int) { unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0) }

func acceptSilent(fd int) {
	// On a Unix socket this fails and does no harm.
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 0)
}
