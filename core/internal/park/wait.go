package park

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A waiter waits for a connection in Go's poller: either a socket, which this package reads and
// writes with its own system calls when the poller reports readiness, or a net.Conn.
//
// It does not use the methods of package os on sockets: a failed write to descriptor 1 or 2 raises
// SIGPIPE there. Those of package net block in the system call, which nothing interrupts, once the
// application has made the socket blocking, as the Fd method of its File does.
type waiter struct {
	nc   net.Conn        // nil for a bare descriptor
	file *os.File        // nil unless a bare descriptor
	rc   syscall.RawConn // of nc or file, if it is a socket of this package
}

// waiter returns c's waiter, creating it if there is none yet.
func (c *Conn) waiter() (waiter, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return waiter{}, net.ErrClosed
	}
	if c.nc == nil && c.file == nil {
		f := os.NewFile(uintptr(c.fd), "connection")
		rc, err := f.SyscallConn()
		if err != nil {
			return waiter{}, err
		}
		f.SetReadDeadline(fromNanos(c.readBy.Load()))
		f.SetWriteDeadline(fromNanos(c.writeBy.Load()))
		c.file, c.rc = f, rc
	}
	return waiter{c.nc, c.file, c.rc}, nil
}

func (w waiter) SetReadDeadline(t time.Time) error {
	if w.nc != nil {
		return w.nc.SetReadDeadline(t)
	}
	return w.file.SetReadDeadline(t)
}

func (w waiter) SetWriteDeadline(t time.Time) error {
	if w.nc != nil {
		return w.nc.SetWriteDeadline(t)
	}
	return w.file.SetWriteDeadline(t)
}

// A transfer is one read or write through a syscall.RawConn. It is pooled together with its
// functions, since a function literal would be allocated for each call.
type transfer struct {
	b     []byte
	n     int
	errno syscall.Errno

	try, read, write, tryWrite func(fd uintptr) (done bool)
}

var transfers = sync.Pool{New: func() any {
	t := new(transfer)
	t.try = func(fd uintptr) bool {
		t.n, t.errno = sysRead(int(fd), t.b)
		return true
	}
	t.read = func(fd uintptr) bool {
		t.n, t.errno = sysRead(int(fd), t.b)
		return t.errno != syscall.EAGAIN
	}
	t.write = func(fd uintptr) bool {
		t.writeSome(int(fd))
		return t.errno != syscall.EAGAIN
	}
	t.tryWrite = func(fd uintptr) bool {
		t.writeSome(int(fd))
		return true
	}
	return t
}}

// writeSome writes as long as there is buffer space.
func (t *transfer) writeSome(fd int) {
	for t.errno = 0; t.errno == 0 && t.n < len(t.b); {
		var n int
		if n, t.errno = sysWrite(fd, t.b[t.n:]); t.errno == 0 {
			t.n += n
		}
	}
}

func beginTransfer(b []byte) *transfer {
	t := transfers.Get().(*transfer)
	t.b, t.n, t.errno = b, 0, 0
	return t
}

// end returns t to the pool, and returns its results; err is from the syscall.RawConn.
func (t *transfer) end(err error) (int, syscall.Errno, error) {
	n, errno := t.n, t.errno
	t.b = nil
	transfers.Put(t)
	return max(n, 0), errno, err
}

// tryRead reads without blocking. The error says that the connection is closed, or its deadline has
// passed.
func (w waiter) tryRead(b []byte) (int, syscall.Errno, error) {
	t := beginTransfer(b)
	return t.end(w.rc.Read(t.try))
}

// tryWrite writes what fits, without blocking. The error says that the connection is closed, or its
// deadline has passed.
func (w waiter) tryWrite(b []byte) (int, syscall.Errno, error) {
	t := beginTransfer(b)
	return t.end(w.rc.Write(t.tryWrite))
}

func (w waiter) read(b []byte) (int, error) {
	if w.rc == nil {
		return w.nc.Read(b)
	}
	t := beginTransfer(b)
	n, errno, err := t.end(w.rc.Read(t.read))
	switch {
	case err != nil:
		return 0, err
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (w waiter) write(b []byte) (int, error) {
	t := beginTransfer(b)
	n, errno, err := t.end(w.rc.Write(t.write))
	if err == nil {
		err = errnoOrNil(errno)
	}
	return n, err
}
