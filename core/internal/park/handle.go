package park

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// This file tells the kinds of connection apart. Others ask a handle for what they need.

// A kind says what a connection consists of, below TLS.
//
//	         Listen              worker waits
//	absent ──────────► descriptor ──────────► polled
//	 │  ▲                 │    │               │  │
//	 │  └────── end ──────┴────────────────────┘  │
//	 │                         │     NetConn      │
//	 │                         └──────────────────┴──► socket
//	 │         Add
//	 └─────────────────────────────────────────────────► foreign
//
// Descriptor and polled are both bare: they differ only for code that waits. A socket and a foreign
// connection keep their kind when they end, since a net.Conn still knows its addresses.
type kind uint8

const (
	// absent: the connection is not in a Set yet, or was a bare descriptor and has ended.
	absent kind = iota
	// descriptor: fd, as the Set has accepted it.
	descriptor
	// polled: fd is also in Go's own poller, as file and rc.
	polled
	// socket: nc, which is a socket of this package, and its rc.
	socket
	// foreign: nc, which is not a socket of this package. It never parks.
	foreign
)

// mayBecome is the table of legal changes.
func (k kind) mayBecome(next kind) bool {
	switch next {
	case descriptor, foreign:
		return k == absent
	case polled:
		return k == descriptor
	case socket, absent:
		return k.bare()
	}
	return false
}

// bare reports whether a connection of kind k is a bare descriptor.
func (k kind) bare() bool { return k == descriptor || k == polled }

// A handle is what a connection is read, written and closed through. Which of the fields are valid
// depends on the kind. A copy of a handle can be used without Conn.mu.
type handle struct {
	fd   int32 // -1 unless bare
	kind kind
	nc   net.Conn
	rc   syscall.RawConn
	file *os.File
}

// become changes c's kind. Nothing else does, and it is called only by the methods below, which set
// what belongs to the new kind. The caller holds c.mu, unless no other goroutine knows c yet.
func (c *Conn) become(k kind) {
	if !c.handle.kind.mayBecome(k) {
		panic(fmt.Sprintf("BUG: a connection of kind %d becomes %d", c.handle.kind, k))
	}
	if !k.bare() {
		c.retire()
	}
	c.handle.kind = k
}

// becomeDescriptor makes c, which is new, a bare descriptor.
func (c *Conn) becomeDescriptor(fd int) {
	c.become(descriptor)
	c.handle.fd = int32(fd)
}

// becomeForeign makes c, which is new, a connection that reads and writes through nc.
func (c *Conn) becomeForeign(nc net.Conn) {
	c.become(foreign)
	c.handle.nc, c.handle.fd = nc, -1
}

// becomePolled makes c wait through f, which is its osFile. It does nothing unless c is a
// descriptor. The caller holds c.mu.
func (c *Conn) becomePolled(f *os.File) {
	if c.handle.kind != descriptor {
		return
	}
	f.SetReadDeadline(fromNanos(c.readBy.Load()))
	f.SetWriteDeadline(fromNanos(c.writeBy.Load()))
	c.become(polled)
	rc, _ := f.SyscallConn()           // cannot fail: f is open
	c.handle.file, c.handle.rc = f, rc // not fd: others may be using it
}

// becomeSocket replaces c's descriptor by nc, and closes f, which is its osFile. The caller holds
// c.mu.
func (c *Conn) becomeSocket(f *os.File, nc net.Conn, rc syscall.RawConn) {
	c.become(socket)
	f.Close()
	c.handle = handle{fd: -1, kind: socket, nc: nc, rc: rc}
}

// becomeAbsent takes the handle from c, which ends. The caller holds c.mu, and closes the handle or
// has given it away.
func (c *Conn) becomeAbsent() handle {
	h := c.handle
	if h.kind.bare() {
		c.become(absent)
		c.handle.fd = -1
	}
	return h
}

// osFile returns the file through which a bare descriptor is in Go's poller. If there is none yet,
// it makes one. The caller must keep that file: when nothing refers to it, Go closes the
// descriptor.
func (h *handle) osFile() *os.File {
	if h.kind == descriptor {
		return os.NewFile(uintptr(h.fd), "connection")
	}
	return h.file
}

// ask returns what f returns for h's descriptor. It returns an error if the application has closed
// the net.Conn, or if h has no descriptor of this package. f should be a function that captures no
// variables, such as hungUp, because captured variables would be allocated at each call.
func ask[T any](h *handle, f func(fd int) T) (T, error) {
	switch h.kind {
	case descriptor, polled:
		return f(int(h.fd)), nil
	case socket:
		var answer T
		err := h.rc.Control(func(fd uintptr) { answer = f(int(fd)) })
		return answer, err
	}
	return *new(T), net.ErrClosed
}

// peek calls sysPeek. It does not use ask, because f would capture variables.
func (h *handle) peek(b []byte) (n int, errno syscall.Errno, err error) {
	if h.kind.bare() {
		n, errno = sysPeek(int(h.fd), b)
		return n, errno, nil
	}
	var got struct {
		n     int
		errno syscall.Errno
	}
	err = h.rc.Control(func(fd uintptr) { got.n, got.errno = sysPeek(int(fd), b) })
	return got.n, got.errno, err
}

// hasNetConn reports whether there is a net.Conn. If so, the application might hold it.
func (h *handle) hasNetConn() bool { return h.kind == socket || h.kind == foreign }

// localAddr returns the local address. It returns false if that is unknown.
func (h *handle) localAddr() (net.Addr, bool) {
	switch h.kind {
	case descriptor, polled:
		a := localAddr(int(h.fd))
		return a, a != nil
	case socket, foreign:
		return h.nc.LocalAddr(), true
	}
	return nil, false
}

// remoteAddr returns the peer's address if there is a net.Conn that knows it. Otherwise it returns
// nil. The owner calls it without a lock, so it must not read the kind: another goroutine that a
// handler has started, and that waits for the connection, may be changing that to polled.
func (h *handle) remoteAddr() net.Addr {
	if h.nc == nil {
		return nil
	}
	return h.nc.RemoteAddr()
}

// A pollable is an os.File or a net.Conn: reads and writes wait for it in Go's poller.
type pollable interface {
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	Close() error
}

// pollable returns the file or the net.Conn of h. It returns nil if h has neither.
func (h handle) pollable() pollable {
	switch h.kind {
	case polled:
		return h.file
	case socket, foreign:
		return h.nc
	}
	return nil
}

// setReadDeadline sets the deadline of reads that wait. For a descriptor it does nothing, since
// becomePolled will set the deadlines.
func (h handle) setReadDeadline(t time.Time) error {
	if p := h.pollable(); p != nil {
		return p.SetReadDeadline(t)
	}
	return nil
}

// setWriteDeadline is like setReadDeadline.
func (h handle) setWriteDeadline(t time.Time) error {
	if p := h.pollable(); p != nil {
		return p.SetWriteDeadline(t)
	}
	return nil
}

// closeWrite half-closes a net.Conn. The method is the application's, and may block.
func (h handle) closeWrite() error {
	if w, ok := h.nc.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// cut makes reading and writing fail. It closes a net.Conn, but the caller must still close a bare
// descriptor.
func (h *handle) cut() {
	switch h.kind {
	case descriptor, polled:
		sysShutdown(int(h.fd), shutBoth)
	case socket, foreign:
		shutDown(h.nc)
		h.nc.Close()
	}
}

// close closes h. If the socket may have SO_LINGER, call closeSlowly instead: closing may block.
func (h handle) close() error {
	if h.kind == descriptor {
		return errnoOrNil(sysClose(int(h.fd)))
	}
	if p := h.pollable(); p != nil {
		return p.Close()
	}
	return nil
}

// closeSlowly is close for a socket that may have SO_LINGER. It may block.
func (h handle) closeSlowly() {
	if h.kind == descriptor {
		sysCloseSlowly(int(h.fd))
		return
	}
	h.close()
}
