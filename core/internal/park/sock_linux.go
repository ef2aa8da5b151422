//go:build linux && !recycling_nopark

package park

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The descriptors are non-blocking, so these system calls return at once and need not
// be announced to the scheduler: RawSyscall. Announcing them costs 7 to 13 % CPU per request.

const (
	shutWrite = unix.SHUT_WR
	shutBoth  = unix.SHUT_RDWR
)

func sysRead(fd int, b []byte) (int, syscall.Errno) {
	for {
		if raceEnabled {
			n, err := syscall.Read(fd, b)
			if e, _ := err.(syscall.Errno); e != syscall.EINTR {
				return n, e
			}
			continue
		}
		n, _, e := syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if e != syscall.EINTR {
			return int(n), e
		}
	}
}

// sysWrite sends without SIGPIPE.
func sysWrite(fd int, b []byte) (int, syscall.Errno) {
	for {
		if raceEnabled {
			n, err := syscall.Write(fd, b)
			if e, _ := err.(syscall.Errno); e != syscall.EINTR {
				return n, e
			}
			continue
		}
		n, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
		if e != syscall.EINTR {
			return int(n), e
		}
	}
}

func sysShutdown(fd, how int) syscall.Errno {
	_, _, e := syscall.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), uintptr(how), 0)
	return e
}

func sysClose(fd int) syscall.Errno {
	_, _, e := syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	return e
}

// hungUp reports whether fd has nothing more to read, and will not have.
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

func (c *Conn) hungUpLocked() (gone bool) {
	if c.rc == nil {
		return hungUp(c.fd)
	}
	if err := c.rc.Control(func(fd uintptr) { gone = hungUp(int(fd)) }); err != nil {
		return true
	}
	return gone
}

// localAddr asks the kernel; nil if it does not say.
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

// SendFile copies from src to c in the kernel, as far as src is a regular file, or an
// io.LimitedReader of one. It reports false, and has done nothing, for everything else.
func (c *Conn) SendFile(src io.Reader) (n int64, ok bool, err error) {
	if c.sec.Load() != nil {
		return 0, false, nil
	}
	if c.fd < 0 {
		c.mu.Lock()
		rf, ok := c.nc.(io.ReaderFrom)
		c.mu.Unlock()
		if !ok {
			return 0, false, nil
		}
		n, err = rf.ReadFrom(src)
		return n, true, err
	}
	remain := int64(1<<63 - 1)
	limited, _ := src.(*io.LimitedReader)
	if limited != nil {
		src, remain = limited.R, limited.N
	}
	f, isFile := src.(*os.File)
	if !isFile {
		return 0, false, nil
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return 0, false, nil
	}
	n, err = c.sendFile(f, remain)
	if limited != nil {
		limited.N -= n
	}
	return n, true, err
}

// A sendfile call is kept this small so that it returns to the scheduler now and then.
const sendChunk = 4 << 20

func (c *Conn) sendFile(f *os.File, remain int64) (done int64, err error) {
	src, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	for done < remain {
		var n int
		var errno error
		send := func(fd uintptr) {
			cerr := src.Control(func(from uintptr) {
				n, errno = unix.Sendfile(int(fd), int(from), nil, int(min(remain-done, sendChunk)))
			})
			if cerr != nil {
				errno = cerr
			}
		}
		if past(&c.writeBy) {
			errno = os.ErrDeadlineExceeded
		} else {
			send(uintptr(c.fd))
		}
		if errno == syscall.EAGAIN {
			if errno = c.waitToSend(send, &errno); errno != nil {
				return done, c.opError("sendfile", errno)
			}
		}
		switch {
		case errno == syscall.EINTR:
			continue
		case errno != nil:
			return done, c.opError("sendfile", errno)
		case n == 0:
			return done, nil // the end of the file
		}
		done += int64(n)
	}
	return done, nil
}

// waitToSend calls send whenever there is room, until it leaves something but EAGAIN in errno.
func (c *Conn) waitToSend(send func(uintptr), errno *error) error {
	if _, err := c.waiter(); err != nil {
		return err
	}
	dst, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	err = dst.Write(func(fd uintptr) bool {
		send(fd)
		return *errno != syscall.EAGAIN
	})
	if err != nil {
		return err
	}
	return *errno
}

// NetConn makes c a net.Conn that may be given away, and returns it: a *net.TCPConn or
// *net.UnixConn, or a *tls.Conn on one. c goes on to work, and parks, but is no bare descriptor any more. The
// caller must have c.
func (c *Conn) NetConn() (net.Conn, error) {
	nc, err := c.netConn()
	if s := c.sec.Load(); s != nil && err == nil {
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
	case c.nc != nil:
		return c.nc, nil
	}
	f := c.file
	if f == nil {
		f = os.NewFile(uintptr(c.fd), "connection")
	}
	nc, err := net.FileConn(f)
	if err != nil {
		c.file = f
		return nil, err
	}
	rc, err := nc.(syscall.Conn).SyscallConn()
	if err == nil && nc.RemoteAddr() == nil {
		err = c.opError("accept", syscall.ENOTCONN) // it was reset in the meantime
	}
	if err != nil {
		c.file = f
		nc.Close()
		return nil, err
	}
	c.set.forget(c) // the epoll set keeps (file, descriptor) pairs, and that descriptor ends here
	f.Close()
	c.nc, c.rc, c.file, c.fd = nc, rc, nil, -1
	return nc, nil
}

// Detach is NetConn for good: c is at its end, and its connection the caller's alone. early is
// what was read from it already, but not by the caller.
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
	c.set.forget(c)
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
