package server

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// floor serves with GOMAXPROCS threads. Each thread has an epoll set, which contains the listening
// socket that all threads share, and the thread's share of the keep-alive connections. The thread
// that accepted a connection owns it. When the connection is put into an epoll set, the thread of
// that set owns it.
//
// System calls that cannot block bypass Go's scheduler (RawSyscall), which would cost time too.
func floor(addr string) error {
	l, bound, err := listenTCP(addr)
	if err != nil {
		return err
	}
	f := &floorServer{listener: l, start: time.Now(), threads: make([]floorThread, runtime.GOMAXPROCS(0))}
	for i := range f.threads {
		if err := f.threads[i].init(f); err != nil {
			return err
		}
	}
	announce(bound)
	failed := make(chan error)
	for i := range f.threads {
		go func() { failed <- f.threads[i].serve() }()
	}
	return <-failed
}

type floorServer struct {
	listener int
	start    time.Time // sleepers count from this time
	threads  []floorThread
	next     atomic.Uint32 // the thread that gets the next connection
}

type floorThread struct {
	server   *floorServer
	epoll    int
	timer    int       // expires when the first sleeper is due
	sleepers []sleeper // sorted by time
	buf      [4096]byte
}

// A sleeper is a connection whose reply is not due yet.
type sleeper struct {
	until time.Duration // since start
	conn  floorConn
	reply reply
}

// A floorConn is a connection's descriptor.
type floorConn struct {
	fd    int
	stays bool // it is in an epoll set
}

func (t *floorThread) init(f *floorServer) (err error) {
	t.server = f
	if t.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	if t.timer, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK); err != nil {
		return fmt.Errorf("timerfd_create: %w", err)
	}
	// The timer is edge-triggered, so it need not be read.
	if err := t.watch(t.timer, unix.EPOLLIN|unix.EPOLLET); err != nil {
		return err
	}
	return t.watch(f.listener, unix.EPOLLIN|unix.EPOLLEXCLUSIVE)
}

func (t *floorThread) watch(fd int, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(fd)}
	if err := unix.EpollCtl(t.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// serve returns only if a system call fails.
func (t *floorThread) serve() error {
	runtime.LockOSThread()
	events := make([]unix.EpollEvent, 64)
	for {
		n, err := unix.EpollWait(t.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		for _, e := range events[:max(n, 0)] {
			var err error
			switch fd := int(e.Fd); fd {
			case t.server.listener:
				err = t.accept()
			case t.timer:
				err = t.wake()
			default:
				err = t.answer(floorConn{fd, true})
			}
			if err != nil {
				return err
			}
		}
	}
}

// accept accepts all waiting connections. The listening socket holds a connection back until its
// request has arrived.
func (t *floorThread) accept() error {
	for {
		fd, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(t.server.listener), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch e {
		case 0:
			if err := t.answer(floorConn{int(fd), false}); err != nil {
				return err
			}
		case unix.EAGAIN:
			return nil
		case unix.EINTR, unix.ECONNABORTED:
		default:
			return fmt.Errorf("accept4: %w", e)
		}
	}
}

// answer reads a request and replies to it.
func (t *floorThread) answer(c floorConn) error {
	n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&t.buf[0])), uintptr(len(t.buf)))
	if e == unix.EAGAIN {
		return t.keep(c)
	}
	if e != 0 {
		t.drop(c)
		return nil
	}
	r, ok := parse(t.buf[:n])
	switch {
	case !ok:
		t.drop(c)
		return nil
	case r.sleep > 0:
		return t.sleep(c, r)
	}
	return t.write(c, r)
}

// write sends a reply. The end of the connection, if it ends, goes in the same packet.
func (t *floorThread) write(c floorConn, r reply) error {
	flags := uintptr(unix.MSG_NOSIGNAL)
	if r.close {
		flags |= unix.MSG_MORE
	}
	n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(c.fd), uintptr(unsafe.Pointer(&r.text[0])), uintptr(len(r.text)), flags, 0, 0)
	if e != 0 || int(n) < len(r.text) || r.close {
		t.drop(c)
		return nil
	}
	return t.keep(c)
}

// keep puts a connection that is in no epoll set into that of the next thread in turn.
func (t *floorThread) keep(c floorConn) error {
	if c.stays {
		return nil
	}
	threads := t.server.threads
	next := &threads[int(t.server.next.Add(1))%len(threads)]
	return next.watch(c.fd, unix.EPOLLIN|unix.EPOLLET)
}

// drop closes a connection. Only a connection in an epoll set can still be a sleeper, so only then
// drop has to remove it from sleepers.
func (t *floorThread) drop(c floorConn) {
	if c.stays {
		t.sleepers = slices.DeleteFunc(t.sleepers, func(s sleeper) bool { return s.conn == c })
	}
	unix.RawSyscall(unix.SYS_CLOSE, uintptr(c.fd), 0, 0)
}

func (t *floorThread) sleep(c floorConn, r reply) error {
	until := time.Since(t.server.start) + r.sleep
	i := len(t.sleepers)
	for i > 0 && t.sleepers[i-1].until > until {
		i--
	}
	t.sleepers = slices.Insert(t.sleepers, i, sleeper{until, c, r})
	if i > 0 {
		return nil
	}
	return t.setTimer()
}

// wake replies to all sleepers that are due.
func (t *floorThread) wake() error {
	now := time.Since(t.server.start)
	for len(t.sleepers) > 0 && t.sleepers[0].until <= now {
		s := t.sleepers[0]
		t.sleepers = t.sleepers[1:]
		if err := t.write(s.conn, s.reply); err != nil {
			return err
		}
	}
	return t.setTimer()
}

// setTimer sets the timer to the time of the first sleeper.
func (t *floorThread) setTimer() error {
	if len(t.sleepers) == 0 {
		return nil
	}
	d := max(t.sleepers[0].until-time.Since(t.server.start), 1) // zero would disable the timer
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(d.Nanoseconds())}
	if err := unix.TimerfdSettime(t.timer, 0, &spec, nil); err != nil {
		return fmt.Errorf("timerfd_settime: %w", err)
	}
	return nil
}

// listenTCP listens on an IPv4 address. Accepted connections inherit the options of the listening
// socket.
func listenTCP(addr string) (fd int, bound net.Addr, err error) {
	a, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return 0, nil, err
	}
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, nil, fmt.Errorf("socket: %w", err)
	}
	sa := unix.SockaddrInet4{Port: a.Port}
	copy(sa.Addr[:], a.IP.To4()) // no IP means any address
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 1),
	)
	if err == nil {
		err = unix.Bind(fd, &sa)
	}
	if err == nil {
		err = unix.Listen(fd, 4096)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, nil, fmt.Errorf("getsockname: %w", err)
	}
	in := name.(*unix.SockaddrInet4)
	return fd, &net.TCPAddr{IP: in.Addr[:], Port: in.Port}, nil
}
