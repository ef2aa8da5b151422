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
		return &Raw{src: l.sock, addr: l.addr, closed: l.closed}, true
	case *net.TCPListener:
		return borrow(l)
	case *net.UnixListener:
		if l.Addr().Network() != "unix" {
			return nil, false // unixpacket, which is not a stream
		}
		return borrow(l)
	}
	return nil, false
}

// A borrowed is a listener of package net, which guards its descriptor itself.
type borrowed struct {
	conn syscall.RawConn

	// Each accept goes through conn.Control. A function literal there would be allocated for
	// each, so there is one for all, and it has its argument and result here.
	mu   sync.Mutex // guards following, and is held during an accept
	call func(fd uintptr)
	tcp  bool
	past bool // no connection is left that was made before the options were set on the listen socket
	addr *Addr
	fd   int
	err  error
}

func borrow(l netListener) (*Raw, bool) {
	rc, err := l.SyscallConn()
	if err != nil {
		return nil, false
	}
	b := &borrowed{conn: rc}
	b.call = func(fd uintptr) {
		ensureNonblock(int(fd)) // the Fd method of its File makes it blocking
		b.fd, b.err = accept4(int(fd), b.addr)
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
		control(rc, func(fd uintptr) error { return setInherited(int(fd), defaultKeepAlive) })
	}
	return &Raw{src: b, addr: l.Addr()}, true
}

func (b *borrowed) control(f func(fd int)) error {
	return bare(b.conn.Control(func(fd uintptr) { f(int(fd)) }))
}

func (b *borrowed) beforeClose(func(fd int)) {} // nothing tells

func (b *borrowed) accept(a *Addr) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addr = a
	err := b.conn.Control(b.call)
	b.addr = nil
	if err != nil {
		return -1, bare(err)
	}
	return b.fd, b.err
}

// bare returns net.ErrClosed for an error that wraps it.
func bare(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	return err
}

// accept4 takes one connection from fd, which must be nonblocking: the scheduler is not told of
// the call, so that one which waits would stop the world.
func accept4(fd int, a *Addr) (int, error) {
	for {
		a.sa.len = unix.SizeofSockaddrAny
		n, _, e := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd),
			uintptr(unsafe.Pointer(&a.sa.any)), uintptr(unsafe.Pointer(&a.sa.len)),
			unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if e == 0 {
			return int(n), nil
		}
		a.sa.len = 0
		if e != unix.EINTR {
			return -1, e
		}
	}
}

// ensureNonblock makes a socket nonblocking that somebody else has made blocking. They could
// do it again before accept4 is called; but it comes of passing a socket on, which is done once.
// A system call that the scheduler is told of would not help: it would keep the world going, and
// hold up whoever accepts until the next connection comes.
func ensureNonblock(fd int) {
	flags, _, e := syscall.RawSyscall(unix.SYS_FCNTL, uintptr(fd), unix.F_GETFL, 0)
	if e == 0 && flags&unix.O_NONBLOCK == 0 {
		unix.SetNonblock(fd, true)
	}
}

func acceptSilent(fd int) {
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 0) // a Unix socket does not know it
}
