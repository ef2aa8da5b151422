package park

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrWait is returned by [Conn.TryRead] if there is nothing to read yet.
var ErrWait = errors.New("park: operation would block")

// A Conn is one accepted connection. It comes in three kinds, the first two of which may have TLS
// on top (see Secure). Type kind tells them apart.
//
//   - a bare descriptor, as the Set accepts it, which is the cheapest kind;
//   - a socket with a net.Conn, made because a hook of the application needed one. It parks as
//     well, and while open costs as much as a connection of net/http;
//   - a net.Conn that is not a socket of this package: it cannot be parked, and TryRead waits.
//
// Only the worker that owns the connection may read, write, park and close it. SetReadDeadline,
// SetWriteDeadline, Watch and Abandon may be called from any goroutine at any time.
type Conn struct {
	// Owner is set by the creator of the connection.
	Owner Owner

	set    *Set
	state  atomicState
	gen    uint32 // distinguishes this connection from earlier ones on the same descriptor
	remote string // the peer's address as in net; RemoteAddr sets it if it is empty

	sec atomic.Pointer[secure] // nil without TLS

	class      Class         // guarded by set.deadlines.mu; the connection's owner may read it
	drained    bool          // the last read was short, so an event will announce more: epoll(7)
	parks      bool          // a socket of this package, which can be parked; never changes
	linger     bool          // may have inherited SO_LINGER from the listening socket
	registered atomic.Bool   // in the epoll set
	uses       atomic.Int32  // of fd at the moment: see use
	flags      atomic.Uint32 // hungUpFlag and the others below
	prev, next *Conn         // guarded by set.deadlines.mu
	deadline   int64         // of class, in nanoseconds since epoch

	patience        *Patience    // of Read; nil: Read waits until readBy
	readBy, writeBy atomic.Int64 // deadlines in nanoseconds since epoch; zero: none

	// handle is guarded by mu. fd may also be read between use and unuse, and all of it by the
	// owner while no handler runs. Once it has a net.Conn it does not change. It is here so that fd
	// shares two cache lines with the rest of what a request needs.
	handle handle

	mu        sync.Mutex // guards following
	ended     bool       // closed or detached: handle must no longer be used
	asked     bool       // local came from handle; it is not the listener's address
	unprobing bool       // a probe is being stopped through the net.Conn's read deadline
	slot      int32      // index in the set's table; -1: none
	bounds    *bounds    // nil: none yet; connections that do not park get it in Add
	local     net.Addr   // local address; see asked
	gone      func()     // called once, when the client is gone
	probe     *probe     // reads ahead to notice that the client is gone, without an epoll set
}

// Flags of a Conn. They are never cleared.
const (
	// hungUpFlag is set when an event reports a hang-up. No other event follows, but reading may
	// still return data before io.EOF.
	hungUpFlag = 1 << iota
	// abandonedFlag is set when the connection is given up: every operation fails from then on.
	abandonedFlag
	// endSentFlag is set when WriteEnd or WriteLast has closed the writing side.
	endSentFlag
	// proxiedFlag is set when the addresses are those that a proxy has sent: see SetAddrs.
	proxiedFlag
)

func (c *Conn) is(flag uint32) bool { return c.flags.Load()&flag != 0 }

// Parks reports whether c can be parked at all.
func (c *Conn) Parks() bool { return c.parks }

// RemoteAddr returns the peer's address as text, formatted as in net.
func (c *Conn) RemoteAddr() string {
	if c.remote == "" {
		if a := c.handle.remoteAddr(); a != nil {
			c.remote = a.String()
		}
	}
	return c.remote
}

// LocalAddr returns the connection's local address. It may be called from any goroutine, also after
// the connection has ended. If it was never called before that, it returns the listener's address,
// which differs only if the listener listens on all addresses.
func (c *Conn) LocalAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.asked {
		if a, ok := c.handle.localAddr(); ok {
			c.local, c.asked = a, true
		}
	}
	return c.local
}

// KnownAddr is like LocalAddr, but asks neither the kernel nor the application's net.Conn: if
// LocalAddr was never called, it returns the listener's address, or nil.
func (c *Conn) KnownAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handle.kind == socket && !c.asked {
		return c.handle.nc.LocalAddr()
	}
	return c.local
}

// TryRead reads the data that is available, or returns ErrWait if there is none. On a connection
// that does not park it waits, as Read does.
func (c *Conn) TryRead(b []byte) (int, error) {
	if s := c.sec.Load(); s != nil {
		return s.tryRead(b)
	}
	return c.TryReadWire(b)
}

// TryReadWire is TryRead below TLS.
func (c *Conn) TryReadWire(b []byte) (int, error) {
	if c.use() {
		n, errno := sysRead(int(c.handle.fd), b)
		c.unuse()
		return c.took(n, len(b), errno)
	}
	if !c.parks {
		return c.Read(b)
	}
	w, err := c.waiter()
	if err != nil {
		return 0, err
	}
	n, errno, err := w.tryRead(b)
	if err != nil {
		return 0, c.opError("read", err)
	}
	return c.took(n, len(b), errno)
}

// Peek is like TryReadWire, but leaves the bytes it returns to be read again. It returns 0, nil if
// there is no data. It is only for connections that park.
func (c *Conn) Peek(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, errno, err := c.handle.peek(b)
	switch {
	case err != nil:
		return 0, err
	case errno == syscall.EAGAIN:
		return 0, nil
	case errno != 0:
		return 0, c.opError("read", errno)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// took converts the result of a nonblocking read into what TryRead returns.
func (c *Conn) took(n, size int, errno syscall.Errno) (int, error) {
	switch {
	case errno == syscall.EAGAIN:
		c.drained = true
		return 0, ErrWait
	case errno != 0:
		return 0, c.opError("read", errno)
	case n == 0:
		return 0, io.EOF
	}
	c.drained = n < size
	return n, nil
}

// Drained reports whether the last read took all the data, so that another read would return
// ErrWait unless more has arrived since; Park notices if it has. With TLS it reports false, since
// only a read can tell.
func (c *Conn) Drained() bool {
	return c.drained && !c.is(hungUpFlag) && c.sec.Load() == nil
}

// HungUp reports whether the client is known to have closed the connection, or at least its sending
// side.
func (c *Conn) HungUp() bool { return c.is(hungUpFlag) }

// Read reads, waiting for bytes until the read deadline. Only one Read may run at a time.
func (c *Conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if s := c.sec.Load(); s != nil {
		return s.read(b)
	}
	return c.read(b)
}

func (c *Conn) read(b []byte) (int, error) {
	if c.bare() && !past(&c.readBy) {
		if n, err := c.TryReadWire(b); err != ErrWait {
			if p := c.patience; p != nil {
				p.got(n, 0)
			}
			return n, err
		}
	}
	w, err := c.waiter()
	if err != nil {
		return 0, err
	}
	if !c.parks {
		if p := c.unprobe(); p != nil && p.n > 0 {
			b[0] = p.b[0]
			return 1, nil
		}
		n, err := c.readSlowly(w, b)
		return n, c.foreignError("read", err)
	}
	n, err := c.readSlowly(w, b)
	return n, c.opError("read", err)
}

// fromNanos returns the time that a deadline stores as n.
func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return epoch.Add(time.Duration(n))
}

// Write writes all of b, waiting for buffer space until the write deadline. Only one Write or
// SendFile may run at a time, but it may run concurrently with a Read.
func (c *Conn) Write(b []byte) (int, error) {
	if s := c.sec.Load(); s != nil {
		return s.write(b)
	}
	return c.write(b)
}

func (c *Conn) write(b []byte) (int, error) {
	done := 0
	for !past(&c.writeBy) && c.use() {
		n, errno := sysWrite(int(c.handle.fd), b[done:])
		c.unuse()
		if errno == syscall.EAGAIN {
			break
		}
		if errno != 0 {
			return done, c.opError("write", errno)
		}
		if done += n; done == len(b) {
			return done, nil
		}
	}
	w, err := c.waiter()
	if err != nil {
		return done, err
	}
	if !c.parks {
		n, err := c.writePieces(b)
		return n, c.foreignError("write", err)
	}
	n, err := c.writeSlowly(w, b[done:])
	return done + n, c.opError("write", err)
}

// TryWrite2 writes what fits of a and then b, with one system call and without waiting. It writes
// nothing if c is not a bare descriptor, or has TLS, or if the write deadline has passed.
func (c *Conn) TryWrite2(a, b []byte) (int, error) {
	if !c.useToWrite() {
		return 0, nil
	}
	n, errno := sysWrite2(int(c.handle.fd), a, b)
	c.unuse()
	switch errno {
	case 0:
		return n, nil
	case syscall.EAGAIN:
		return 0, nil
	}
	return 0, c.opError("write", errno)
}

// useToWrite is use, but also reports false if c has TLS or the write deadline has passed.
func (c *Conn) useToWrite() bool { return c.sec.Load() == nil && !past(&c.writeBy) && c.use() }

// past reports whether a deadline has passed.
func past(by *atomic.Int64) bool {
	t := by.Load()
	return t != 0 && nanos() >= t
}

// SetReadDeadline sets how long Read waits, including a Read in progress; the zero time means no
// deadline.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(&c.readBy, t, handle.setReadDeadline)
}

// SetWriteDeadline sets how long Write waits, including a Write in progress; the zero time means no
// deadline.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(&c.writeBy, t, handle.setWriteDeadline)
}

func (c *Conn) setDeadline(by *atomic.Int64, t time.Time, set func(handle, time.Time) error) error {
	var n int64
	if !t.IsZero() {
		if n = int64(t.Sub(epoch)); n == 0 {
			n = 1
		}
	}
	if n == 0 && by.Load() == 0 && c.bare() {
		return nil // on a net.Conn the application may have set a deadline
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	by.Store(n)
	if bound := c.boundedLocked(by); bound != n {
		t = fromNanos(bound)
	}
	switch {
	case c.ended:
		return net.ErrClosed
	case c.unprobing && by == &c.readBy:
		return nil // unprobed sets it; setting it now would let the probe continue
	}
	return set(c.handle, t)
}

// opError returns err as a method of net.Conn would. It drops the wrapping that os.File and
// syscall.RawConn add.
func (c *Conn) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	switch e := err.(type) {
	case *fs.PathError:
		err = e.Err
	case *net.OpError:
		err = e.Err
	}
	if errno, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(op, errno)
	}
	if errors.Is(err, os.ErrClosed) {
		err = net.ErrClosed
	}
	return &net.OpError{Op: op, Net: c.set.network(), Source: nil, Addr: textAddr{c.set.network(), c.remote}, Err: err}
}

// foreignError returns an error of the application's net.Conn unchanged, and wraps this package's
// own.
func (c *Conn) foreignError(op string, err error) error {
	if err == os.ErrDeadlineExceeded {
		return c.opError(op, err)
	}
	return err
}

// A textAddr is a peer's address for use in an error.
type textAddr struct{ network, text string }

func (a textAddr) Network() string { return a.network }
func (a textAddr) String() string  { return a.text }

func errnoOrNil(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}
