package park

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A secure is the TLS of a connection. Package tls reads from it and writes to it by a wire, and keeps what
// it needs of a record that is not complete; a read that need not wait therefore can be given up and
// repeated, once the handshake is over. The handshake itself cannot: it keeps its goroutine.
type secure struct {
	conn *tls.Conn
	wire wire

	asked atomic.Bool // somebody wants a recheck

	mu    sync.Mutex // held while reading; guards following
	ahead []byte     // decrypted, and read while looking whether the client is gone
	over  bool       // c is being closed or given away: nothing is read any more
}

// A wire is what is under a tls.Conn: the connection as it would be without TLS.
type wire struct {
	c     *Conn
	hello [][]byte // was read before the handshake, for a Read each

	trying  atomic.Bool // reads must not wait
	alone   atomic.Bool // nobody is going to write, so that what reading has to answer must not wait either
	closing atomic.Bool // nothing but good-bye is written any more, which does not wait, and closing is c's
	unsent  []byte      // what of that there was no room for
	gone    atomic.Bool // c has been detached, and c.nc is the connection
}

// errAgain is errWait for package tls, which gives up for good after errors that are not temporary.
var errAgain net.Error = againError{}

type againError struct{}

func (againError) Error() string   { return ErrWait.Error() }
func (againError) Timeout() bool   { return true }
func (againError) Temporary() bool { return true }

// Secure makes c a TLS connection, and returns it; the handshake is the caller's. hello was read from c
// already; package tls reads no two of its parts at once. The caller must have c. It may be called again, to add hello.
func (c *Conn) Secure(config *tls.Config, hello ...[]byte) *tls.Conn {
	s := c.sec.Load()
	if s == nil {
		s = &secure{}
		s.wire.c = c
		s.conn = tls.Server(&s.wire, config)
		c.sec.Store(s)
	}
	for _, part := range hello {
		if len(part) > 0 {
			s.wire.hello = append(s.wire.hello, part)
		}
	}
	return s.conn
}

func (w *wire) Read(p []byte) (int, error) {
	switch {
	case len(w.hello) > 0:
		n := copy(p, w.hello[0])
		if w.hello[0] = w.hello[0][n:]; len(w.hello[0]) == 0 {
			if w.hello = w.hello[1:]; len(w.hello) == 0 {
				w.hello = nil
			}
		}
		return n, nil
	case w.gone.Load():
		return w.c.nc.Read(p)
	case !w.trying.Load():
		return w.c.read(p)
	case w.c.drained && !w.c.hungUp.Load():
		return 0, errAgain
	}
	n, err := w.c.TryReadWire(p)
	if err == ErrWait {
		err = errAgain
	}
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	switch {
	case w.gone.Load():
		return w.c.nc.Write(p)
	case w.closing.Load() && len(w.unsent) > 0:
		return len(p), nil // what follows good-bye is of no use to anybody
	case w.closing.Load():
		n, err := w.c.tryWrite(p)
		if err == syscall.EAGAIN || err == io.ErrShortWrite {
			w.unsent = append(w.unsent, p[n:]...)
			return len(p), nil
		}
		return n, err
	case w.alone.Load():
		return w.c.tryWrite(p)
	}
	return w.c.write(p)
}

// Close is called by whoever was given the tls.Conn, and by package tls. The descriptor is not theirs.
func (w *wire) Close() error {
	switch {
	case w.gone.Load():
		return w.c.nc.Close()
	case w.closing.Load():
		return nil
	}
	w.c.cut()
	return nil
}

func (w *wire) LocalAddr() net.Addr {
	if a := w.c.LocalAddr(); a != nil {
		return a
	}
	return textAddr{}
}

func (w *wire) RemoteAddr() net.Addr {
	w.c.mu.Lock()
	nc := w.c.nc
	w.c.mu.Unlock()
	if nc != nil {
		return nc.RemoteAddr()
	}
	return remoteAddr(w.c.set.network(), w.c.remote)
}

func (w *wire) SetReadDeadline(t time.Time) error {
	if w.gone.Load() {
		return w.c.nc.SetReadDeadline(t)
	}
	return w.c.SetReadDeadline(t)
}

func (w *wire) SetWriteDeadline(t time.Time) error {
	switch {
	case w.gone.Load():
		return w.c.nc.SetWriteDeadline(t)
	case w.closing.Load():
		return nil
	}
	return w.c.SetWriteDeadline(t)
}

func (w *wire) SetDeadline(t time.Time) error {
	return errors.Join(w.SetReadDeadline(t), w.SetWriteDeadline(t))
}

// tryRead is Conn.TryRead.
func (s *secure) tryRead(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wire.alone.Store(true)
	defer s.wire.alone.Store(false)
	return s.tryReadLocked(b)
}

func (s *secure) tryReadLocked(b []byte) (int, error) {
	if n := s.takeAhead(b); n > 0 {
		return n, nil
	}
	s.wire.trying.Store(true)
	n, err := s.conn.Read(b)
	s.wire.trying.Store(false)
	if err == error(errAgain) {
		err = ErrWait
	}
	return n, err
}

// read is Conn.Read.
func (s *secure) read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.takeAhead(b); n > 0 {
		return n, nil
	}
	return s.conn.Read(b)
}

func (s *secure) takeAhead(b []byte) int {
	n := copy(b, s.ahead)
	if s.ahead = s.ahead[n:]; len(s.ahead) == 0 {
		s.ahead = nil
	}
	return n
}

// recheck is Conn.Recheck. A client can hang up inside TLS, so it has to be read, unless somebody does that
// anyway: who reads for a request notices, and who is at a recheck looks again. Reading may have to answer to the
// client, and so may wait: the leader must not call this.
func (s *secure) recheck() {
	s.asked.Store(true)
	for s.asked.Load() && s.mu.TryLock() {
		s.asked.Store(false)
		gone := s.lookLocked()
		s.mu.Unlock()
		if gone {
			s.wire.c.clientGone()
		}
	}
}

// lookLocked reads if that is of use to somebody, and reports whether the client is gone.
func (s *secure) lookLocked() bool {
	if s.over || len(s.ahead) > 0 || !s.wire.c.watched() {
		return false
	}
	s.wire.c.drained = false // an event has come since
	var b [1]byte
	n, err := s.tryReadLocked(b[:])
	s.ahead = append(s.ahead, b[:n]...)
	return err != nil && err != ErrWait
}

// settled waits for a recheck that is under way.
func (s *secure) settled() {
	s.mu.Lock()
	s.mu.Unlock() //lint:ignore SA2001 that is all
}

// finish is settled for good: the descriptor is about to become another's.
func (s *secure) finish() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
}

// rest gives up what was read ahead.
func (s *secure) rest() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.ahead
	s.ahead = nil
	return b
}

// close says good-bye to the client, without waiting. It reports false if there was no room for that.
func (s *secure) close() bool {
	s.wire.closing.Store(true)
	s.conn.Close()
	return len(s.wire.unsent) == 0
}

// goodByeTime is how long a client that is slow to read gets for making room for good-bye. The number is that of
// package tls.
const goodByeTime = 5 * time.Second

// closeLater closes c when there was room for what close has left, or time is up.
func (c *Conn) closeLater(unsent []byte) {
	c.SetWriteDeadline(time.Now().Add(goodByeTime))
	c.write(unsent)
	c.finish()
}

// remoteAddr makes a net.Addr of a peer's text.
func remoteAddr(network, text string) net.Addr {
	if network == "unix" {
		return &net.UnixAddr{Name: text, Net: network}
	}
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return textAddr{network, text}
	}
	return net.TCPAddrFromAddrPort(a)
}

// WriteLast writes b without waiting: what there is no room for is lost. Nothing can be written afterwards. It is for
// connections that park.
func (c *Conn) WriteLast(b []byte) {
	if s := c.sec.Load(); s != nil {
		s.wire.closing.Store(true)
		s.conn.Write(b)
		return
	}
	c.tryWrite(b)
}

// tryWrite writes what there is room for, and does not wait.
func (c *Conn) tryWrite(b []byte) (n int, err error) {
	var errno syscall.Errno
	switch {
	case c.fd >= 0:
		n, errno = sysWrite(c.fd, b)
	case c.rc != nil:
		if err := c.rc.Control(func(fd uintptr) { n, errno = sysWrite(int(fd), b) }); err != nil {
			return 0, err
		}
	default:
		return 0, os.ErrDeadlineExceeded
	}
	if errno == 0 && n < len(b) {
		return n, io.ErrShortWrite
	}
	return max(n, 0), errnoOrNil(errno)
}
