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

// ErrWait is returned by [Conn.TryRead] if there is nothing to read now.
var ErrWait = errors.New("park: would have to wait")

// A Conn is one accepted connection. It comes in three kinds, the first two of which may have TLS on top, by Secure:
//
//   - a bare descriptor: what Set accepts, and the cheapest there is;
//   - a socket with a net.Conn: because a hook of the application was given one. It
//     parks as well, and costs what net/http's connections cost while open;
//   - a net.Conn that is no socket of ours: it cannot be parked, and TryRead waits.
//
// Reading, writing, parking and closing are for the worker that has the connection.
// SetReadDeadline, SetWriteDeadline, Watch and Abandon may be called by anybody at any time.
type Conn struct {
	// Owner is who made the connection. The Set does not look at it.
	Owner any

	set    *Set
	state  cell
	gen    uint32 // tells this connection from earlier ones on the same descriptor
	fd     int    // -1 unless a bare descriptor
	remote string // the peer, as net has it; made at the first call of RemoteAddr for other kinds

	sec atomic.Pointer[secure] // nil without TLS

	class      Class       // guarded by set.calendar.mu, readable for whoever has the connection
	drained    bool        // the last read was short, so the next event says when there is more: epoll(7)
	registered atomic.Bool // in the epoll set
	hungUp     atomic.Bool // an event said so; reading is not over before io.EOF, and no other event will come
	abandoned  atomic.Bool // nothing works any more
	prev, next *Conn       // guarded by set.calendar.mu
	deadline   int64       // of class, in nanoseconds since epoch

	readBy, writeBy atomic.Int64 // deadlines in nanoseconds since epoch; zero: none

	mu        sync.Mutex      // guards following
	ended     bool            // closed or detached: fd means nothing any more
	asked     bool            // local is the kernel's answer, not the listener's address
	unprobing bool            // a probe is being ended, by nc's read deadline
	slot      int32           // its place in the set's table; -1: none
	local     net.Addr        // of what began as a bare descriptor
	nc        net.Conn        // nil for a bare descriptor
	rc        syscall.RawConn // of nc, if that is a socket of ours
	file      *os.File        // a bare descriptor in Go's own poller, once somebody had to wait
	gone      func()          // called once when the client is gone
	probe     *probe          // reads ahead to notice that, where there is no epoll set
}

// A waiter is what waits in Go's poller: an os.File or a net.Conn.
type waiter interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// Parks reports whether c can be parked at all.
func (c *Conn) Parks() bool { return c.fd >= 0 || c.rc != nil }

// RemoteAddr returns the peer's address as text, as net has it.
func (c *Conn) RemoteAddr() string {
	if c.remote == "" && c.nc != nil {
		if a := c.nc.RemoteAddr(); a != nil {
			c.remote = a.String()
		}
	}
	return c.remote
}

// LocalAddr returns the connection's own address. Anybody may call it, also when c has come to its end. If nobody
// did before, the address is that of the listener then, which is another only where that listens on all addresses.
func (c *Conn) LocalAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.nc != nil:
		return c.nc.LocalAddr()
	case c.asked, c.ended:
		return c.local
	}
	if a := localAddr(c.fd); a != nil {
		c.local, c.asked = a, true
	}
	return c.local
}

// TryRead reads what is there, and returns ErrWait if that is nothing. A connection that does not
// park waits instead, as Read does.
func (c *Conn) TryRead(b []byte) (int, error) {
	if s := c.sec.Load(); s != nil {
		return s.tryRead(b)
	}
	return c.TryReadWire(b)
}

// TryReadWire is TryRead, without TLS.
func (c *Conn) TryReadWire(b []byte) (int, error) {
	switch {
	case c.fd >= 0:
		n, errno := sysRead(c.fd, b)
		return c.took(n, len(b), errno)
	case c.rc != nil:
		var n int
		var errno syscall.Errno
		err := c.rc.Read(func(fd uintptr) bool {
			n, errno = sysRead(int(fd), b)
			return true
		})
		if err != nil {
			return 0, err
		}
		return c.took(n, len(b), errno)
	}
	return c.Read(b)
}

// took turns the result of a read without waiting into what TryRead returns.
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

// Drained reports whether the last read took all there was, so that another would
// return ErrWait unless something came in the meantime. Then Park notices. With TLS it takes a read to know.
func (c *Conn) Drained() bool {
	return c.drained && !c.hungUp.Load() && c.sec.Load() == nil
}

// HungUp reports whether it is known that the client has closed, or at least sends no more.
func (c *Conn) HungUp() bool { return c.hungUp.Load() }

// Read reads, and waits for bytes until the read deadline. Only one Read at a time.
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
	if c.fd >= 0 && !past(&c.readBy) {
		if n, err := c.TryReadWire(b); err != ErrWait {
			return n, err
		}
	}
	w, err := c.waiter()
	if err != nil {
		return 0, err
	}
	if c.fd < 0 {
		if p := c.unprobe(); p != nil && p.n > 0 {
			b[0] = p.b[0]
			return 1, nil
		}
	}
	n, err := w.Read(b)
	return n, c.opError("read", err)
}

// ReadWithin is Read that also returns os.ErrDeadlineExceeded when it has waited for d. A read deadline that somebody
// sets at that very moment may be lost.
func (c *Conn) ReadWithin(b []byte, d time.Duration) (int, error) {
	if d <= 0 {
		return 0, c.opError("read", os.ErrDeadlineExceeded)
	}
	if c.Parks() && c.sec.Load() == nil && !past(&c.readBy) {
		if n, err := c.TryReadWire(b); err != ErrWait {
			return n, err
		}
	}
	before, late := c.readBy.Load(), make(chan struct{})
	t := time.AfterFunc(d, func() {
		c.SetReadDeadline(epoch)
		close(late)
	})
	n, err := c.Read(b)
	if !t.Stop() {
		<-late
		c.SetReadDeadline(fromNanos(before))
	}
	return n, err
}

// fromNanos returns the time that deadlines keep as n.
func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return epoch.Add(time.Duration(n))
}

// Write writes all of b, and waits for room until the write deadline. Only one Write or
// SendFile at a time, but it may run beside a Read.
func (c *Conn) Write(b []byte) (int, error) {
	if s := c.sec.Load(); s != nil {
		return s.conn.Write(b)
	}
	return c.write(b)
}

func (c *Conn) write(b []byte) (int, error) {
	done := 0
	for c.fd >= 0 && !past(&c.writeBy) {
		n, errno := sysWrite(c.fd, b[done:])
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
	n, err := w.Write(b[done:])
	return done + n, c.opError("write", err)
}

// past reports whether a deadline is over.
func past(by *atomic.Int64) bool {
	t := by.Load()
	return t != 0 && nanos() >= t
}

// waiter returns what waits for c in Go's poller, and makes it if there is none yet.
func (c *Conn) waiter() (waiter, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return nil, net.ErrClosed
	case c.nc != nil:
		return c.nc, nil
	case c.file == nil:
		c.file = os.NewFile(uintptr(c.fd), "connection")
		c.file.SetReadDeadline(fromNanos(c.readBy.Load()))
		c.file.SetWriteDeadline(fromNanos(c.writeBy.Load()))
	}
	return c.file, nil
}

// SetReadDeadline sets until when Read waits, one that waits already included; the zero time means forever.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(&c.readBy, t, waiter.SetReadDeadline)
}

// SetWriteDeadline sets until when Write waits, one that waits already included; the zero time means forever.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(&c.writeBy, t, waiter.SetWriteDeadline)
}

func (c *Conn) setDeadline(by *atomic.Int64, t time.Time, set func(waiter, time.Time) error) error {
	var n int64
	if !t.IsZero() {
		n = max(int64(t.Sub(epoch)), 1)
	}
	if n == 0 && by.Load() == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	by.Store(n)
	switch {
	case c.ended:
		return net.ErrClosed
	case c.unprobing && by == &c.readBy:
		return nil // unprobe sets it; now the probe would go on
	case c.nc != nil:
		return set(c.nc, t)
	case c.file != nil:
		return set(c.file, t)
	}
	return nil // a bare descriptor gets its deadlines when somebody has to wait for it
}

// opError is err as a method of net.Conn would return it. What os.File says around it is dropped.
func (c *Conn) opError(op string, err error) error {
	if err == nil || err == io.EOF || c.nc != nil {
		return err
	}
	if pe, ok := err.(*fs.PathError); ok {
		err = pe.Err
	}
	if errno, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(op, errno)
	}
	if errors.Is(err, os.ErrClosed) {
		err = net.ErrClosed
	}
	return &net.OpError{Op: op, Net: c.set.network(), Source: nil, Addr: textAddr{c.set.network(), c.remote}, Err: err}
}

// A textAddr is a peer's address in an error.
type textAddr struct{ network, text string }

func (a textAddr) Network() string { return a.network }
func (a textAddr) String() string  { return a.text }

func errnoOrNil(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}
