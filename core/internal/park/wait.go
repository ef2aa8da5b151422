package park

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// This file waits for a connection in Go's poller. A socket is read and written with this package's
// own system calls when the poller reports readiness; another net.Conn with its methods.
//
// Sockets are not read and written with the methods of package os: a failed write to descriptor 1
// or 2 raises SIGPIPE there. Those of package net block in the system call, which nothing
// interrupts, once the application has made the socket blocking, as the Fd method of its File does.

// waiter returns c's handle, through which the caller may wait.
func (c *Conn) waiter() (handle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return handle{}, net.ErrClosed
	}
	c.becomePolled(c.handle.osFile())
	return c.handle, nil
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
func (h handle) tryRead(b []byte) (int, syscall.Errno, error) {
	t := beginTransfer(b)
	return t.end(h.rc.Read(t.try))
}

// tryWrite writes what fits, without blocking. The error says that the connection is closed, or its
// deadline has passed.
func (h handle) tryWrite(b []byte) (int, syscall.Errno, error) {
	t := beginTransfer(b)
	return t.end(h.rc.Write(t.tryWrite))
}

func (h handle) read(b []byte) (int, error) {
	if h.kind == foreign {
		return h.nc.Read(b)
	}
	t := beginTransfer(b)
	n, errno, err := t.end(h.rc.Read(t.read))
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

func (h handle) write(b []byte) (int, error) {
	t := beginTransfer(b)
	n, errno, err := t.end(h.rc.Write(t.write))
	if err == nil {
		err = errnoOrNil(errno)
	}
	return n, err
}
