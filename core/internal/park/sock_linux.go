//go:build linux && !recycling_nopark

package park

import (
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"github.com/recycling-go/recycling/listener/proxyproto"
	"golang.org/x/sys/unix"
)

// The descriptors are nonblocking, so these system calls return at once and use RawSyscall, without
// notifying the scheduler. Notifying it costs 7 to 13 % CPU per request.

const (
	shutWrite = unix.SHUT_WR
	shutBoth  = unix.SHUT_RDWR
)

// The calls still pass MSG_DONTWAIT, because O_NONBLOCK is a property of the socket that the
// application can change through a duplicate, as the Fd method of a File does. A blocking call
// would stop the whole process.

func sysRead(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		if e == 0 {
			afterRead(fd)
		}
		if e != syscall.EINTR {
			return int(n), e
		}
	}
}

// sysPeek is like sysRead, but leaves the bytes to be read.
func sysPeek(fd int, b []byte) (int, syscall.Errno) {
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
		if e != syscall.EINTR {
			return int(n), e
		}
	}
}

// Unread returns the number of bytes written that are not yet sent or acknowledged; zero if that is
// not known.
func (c *Conn) Unread() (n int) {
	c.control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) })
	return n
}

// received returns the number of bytes that fd has received and that are to be read; zero if that
// is not known.
func received(fd int) int {
	n, _ := unix.IoctlGetInt(fd, unix.TIOCINQ)
	return n
}

// quiet reports whether c, which is parked, has nothing to read. The caller need not own c. If its
// owner is using it at the moment, it is not quiet.
func (c *Conn) quiet() bool {
	if !c.mu.TryLock() {
		return false
	}
	defer c.mu.Unlock()
	n, err := ask(&c.handle, received)
	return n == 0 && err == nil
}

// sysWrite writes to fd without raising SIGPIPE.
func sysWrite(fd int, b []byte) (int, syscall.Errno) { return sysSend(fd, b, 0) }

// sysWriteMore is sysWrite, but the kernel may wait for more before it sends what it has taken. If
// it cannot take everything, it does not wait.
func sysWriteMore(fd int, b []byte) (int, syscall.Errno) { return sysSend(fd, b, unix.MSG_MORE) }

func sysSend(fd int, b []byte, flags uintptr) (int, syscall.Errno) {
	flags |= unix.MSG_NOSIGNAL | unix.MSG_DONTWAIT
	beforeWrite()
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
		if e != syscall.EINTR {
			return int(n), e
		}
	}
}

// sysWrite2 is sysWrite for a and then b.
func sysWrite2(fd int, a, b []byte) (int, syscall.Errno) {
	parts := [2]unix.Iovec{{Base: unsafe.SliceData(a)}, {Base: unsafe.SliceData(b)}}
	parts[0].SetLen(len(a))
	parts[1].SetLen(len(b))
	m := unix.Msghdr{Iov: &parts[0]}
	m.SetIovlen(len(parts))
	beforeWrite()
	for {
		n, _, e := syscall.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&m)), unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		if e != syscall.EINTR {
			return int(n), e
		}
	}
}

func sysShutdown(fd, how int) syscall.Errno {
	_, _, e := syscall.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), uintptr(how), 0)
	return e
}

// sysClose closes a descriptor that does not linger: see lingers. It is not retried after an error,
// not even EINTR: the descriptor is gone. Notifying the scheduler took 20 % more CPU per short
// connection, since the kernel sends and receives within this call.
func sysClose(fd int) syscall.Errno {
	_, _, e := syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	return e
}

// sysCloseSlowly closes a descriptor that lingers, and may block.
func sysCloseSlowly(fd int) { syscall.Close(fd) }

// hungUp reports whether fd has reached the end: there is nothing to read, and nothing will come.
func hungUp(fd int) bool {
	var b [1]byte
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b)), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
		switch e {
		case 0:
			return n == 0
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			return true
		}
	}
}

func (c *Conn) hungUpLocked() bool {
	gone, err := ask(&c.handle, hungUp)
	return gone || err != nil
}

// poll reports whether reading and writing would not block. If the application has made the socket
// blocking, poll makes it nonblocking again.
func (c *Conn) poll() (in, out bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.handle.kind != socket {
		return true, true
	}
	if c.handle.rc.Control(func(fd uintptr) {
		if flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0); err == nil && flags&unix.O_NONBLOCK == 0 {
			unix.SetNonblock(int(fd), true)
		}
		p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT | unix.POLLRDHUP}}
		if _, err := unix.Poll(p[:], 0); err != nil {
			in, out = true, true
			return
		}
		in = p[0].Revents&^unix.POLLOUT != 0
		out = p[0].Revents&^(unix.POLLIN|unix.POLLRDHUP) != 0
	}) != nil {
		return true, true // the read returns the error
	}
	return in, out
}

// lingers reports whether close(2) may block until the client has taken everything.
func (c *Conn) lingers() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.handle.kind.bare() && !c.linger {
		return false
	}
	wait, _ := ask(&c.handle, lingers)
	return wait
}

func lingers(fd int) bool {
	l, err := unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER)
	return err == nil && l.Onoff != 0 && l.Linger > 0
}

// localAddr asks the kernel for the local address; nil if that fails.
func localAddr(fd int) net.Addr {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: append(net.IP(nil), sa.Addr[:]...), Port: sa.Port}
	case *unix.SockaddrInet6:
		a := &net.TCPAddr{IP: append(net.IP(nil), sa.Addr[:]...), Port: sa.Port}
		if sa.ZoneId != 0 {
			if i, err := net.InterfaceByIndex(int(sa.ZoneId)); err == nil {
				a.Zone = i.Name
			}
		}
		return a
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Name: sa.Name, Net: "unix"}
	}
	return nil
}

// control calls f with c's descriptor. The caller must own c, or keep its owner from giving it
// away.
func (c *Conn) control(f func(fd uintptr)) error {
	if c.bare() {
		f(uintptr(c.handle.fd))
		return nil
	}
	return c.handle.rc.Control(f)
}

// NetConn turns c into a net.Conn that may be given away, and returns it: a *net.TCPConn or
// *net.UnixConn, a *proxyproto.Conn on one of these if SetAddrs was called, or a *tls.Conn on one
// of these. c keeps working, and still parks, but is no longer a bare descriptor. The caller must
// own c.
func (c *Conn) NetConn() (net.Conn, error) {
	nc, err := c.netConn()
	if s := c.sec.Load(); s != nil && err == nil {
		s.reveal(nc)
		return s.conn, nil
	}
	return nc, err
}

func (c *Conn) netConn() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return nil, net.ErrClosed
	case c.handle.hasNetConn():
		return c.handle.nc, nil
	}
	f := c.handle.osFile()
	nc, rc, err := c.convert(f)
	if err != nil {
		c.becomePolled(f)
		return nil, err
	}
	c.set.untrack(c) // epoll keys on (file, descriptor), and this descriptor is about to close
	if c.is(proxiedFlag) {
		nc = proxyproto.NewConn(nc, c.peerAddr(), c.local)
	}
	c.becomeSocket(f, nc, rc)
	c.set.track(c)
	nc.SetReadDeadline(fromNanos(c.boundedLocked(&c.readBy)))
	nc.SetWriteDeadline(fromNanos(c.boundedLocked(&c.writeBy)))
	return nc, nil
}

// convert makes a net.Conn of f, which stays open.
func (c *Conn) convert(f *os.File) (net.Conn, syscall.RawConn, error) {
	nc, err := FileConn(f)
	if err != nil {
		return nil, nil, err
	}
	rc, err := nc.(syscall.Conn).SyscallConn()
	if err == nil && nc.RemoteAddr() == nil {
		err = c.opError("accept", syscall.ENOTCONN) // it was reset in the meantime
	}
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, rc, nil
}

// keptSockopts lists the options that package net sets on a TCP connection made from a descriptor,
// and that FileConn keeps as they were.
var keptSockopts = [...]struct{ level, name int }{
	{unix.IPPROTO_TCP, unix.TCP_NODELAY},
	{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
	{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
	{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
	{unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
}

// FileConn is like [net.FileConn], but leaves the socket options unchanged.
func FileConn(f *os.File) (net.Conn, error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var values [len(keptSockopts)]int
	tcp := false
	rc.Control(func(fd uintptr) {
		for i, o := range keptSockopts {
			v, err := unix.GetsockoptInt(int(fd), o.level, o.name)
			if err != nil {
				return // a Unix socket
			}
			values[i] = v
		}
		tcp = true
	})
	nc, err := net.FileConn(f)
	if err != nil || !tcp {
		return nc, err
	}
	rc.Control(func(fd uintptr) {
		for i, o := range keptSockopts {
			unix.SetsockoptInt(int(fd), o.level, o.name, values[i])
		}
	})
	return nc, nil
}

// Detach is like NetConn, but ends c: the caller alone owns its connection. early holds bytes that
// were read from it ahead of the caller.
func (c *Conn) Detach() (nc net.Conn, early []byte, err error) {
	s := c.sec.Load()
	if s != nil {
		c.Unwatch()
		s.finish() // before NetConn changes what a recheck reads from
	}
	if nc, err = c.NetConn(); err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	c.set.untrack(c)
	c.mu.Unlock()
	early = c.endProbe()
	if s != nil {
		early = s.rest()
	}
	c.end()
	if s != nil {
		s.wire.gone.Store(true)
	}
	return nc, early, nc.SetDeadline(time.Time{})
}
