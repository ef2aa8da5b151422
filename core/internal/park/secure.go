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

// A secure is the TLS layer of a connection. Package tls reads and writes through a wire, and
// buffers an incomplete record, so once the handshake is over a read that cannot complete can be
// abandoned and retried. The handshake itself cannot be: it keeps its goroutine.
type secure struct {
	conn *tls.Conn
	wire wire

	asked  atomic.Bool            // another recheck is requested
	direct atomic.Pointer[direct] // conn runs on a net.Conn, not on wire; nil if not

	writing sync.Mutex // held while writing, and while a recheck may have to reply to the client

	mu    sync.Mutex // held while reading; guards following
	ahead []byte     // decrypted bytes that a recheck has read
	over  bool       // c is being closed or given away: nothing may read any more
}

// A wire is the connection below a tls.Conn, as it would be without TLS.
type wire struct {
	c     *Conn
	hello [][]byte // bytes read before the handshake, one slice per Read

	trying atomic.Bool // reads must not block
	alone  atomic.Bool // no writer is active, so a reply that a read causes must not block either
	// closing is set before the last write, such as close_notify, which must not block. From then
	// on Close does nothing, since c closes the connection.
	closing atomic.Bool
	unsent  []byte      // the part of close_notify that did not fit
	gone    atomic.Bool // c is detached, and the net.Conn is the connection
}

// errAgain is ErrWait for package tls, which fails for good after an error that is not temporary.
var errAgain net.Error = againError{}

type againError struct{}

func (againError) Error() string   { return ErrWait.Error() }
func (againError) Timeout() bool   { return true }
func (againError) Temporary() bool { return true }

// Secure makes c a TLS connection and returns its tls.Conn; the caller runs the handshake. The
// parts of hello were already read from c; package tls gets each part from a Read of its own. The
// caller must own c, and may call Secure again to add to hello.
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
		return w.c.handle.nc.Read(p)
	case !w.trying.Load():
		return w.c.read(p)
	case w.c.drained && !w.c.is(hungUpFlag):
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
		return w.c.handle.nc.Write(p)
	case w.closing.Load() && len(w.unsent) > 0:
		return len(p), nil // nothing after close_notify matters to the client
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

// Close is called by package tls and by any holder of the tls.Conn. Neither owns the descriptor.
func (w *wire) Close() error {
	switch {
	case w.gone.Load():
		return w.c.handle.nc.Close()
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
	h := w.c.handle
	w.c.mu.Unlock()
	if h.hasNetConn() {
		return h.remoteAddr()
	}
	return w.c.peerAddr()
}

func (w *wire) SetReadDeadline(t time.Time) error {
	if w.gone.Load() {
		return w.c.handle.nc.SetReadDeadline(t)
	}
	return w.c.SetReadDeadline(t)
}

func (w *wire) SetWriteDeadline(t time.Time) error {
	switch {
	case w.gone.Load():
		return w.c.handle.nc.SetWriteDeadline(t)
	case w.closing.Load():
		return nil
	}
	return w.c.SetWriteDeadline(t)
}

func (w *wire) SetDeadline(t time.Time) error {
	return errors.Join(w.SetReadDeadline(t), w.SetWriteDeadline(t))
}

// tryRead implements Conn.TryRead.
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
	if d := s.direct.Load(); d != nil {
		return d.tryRead(b, s.wire.alone.Load())
	}
	s.wire.trying.Store(true)
	n, err := s.conn.Read(b)
	s.wire.trying.Store(false)
	if err == error(errAgain) {
		err = ErrWait
	}
	return n, err
}

// write implements Conn.Write.
func (s *secure) write(b []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if d := s.direct.Load(); d != nil {
		return s.wire.c.writeDirect(d.handle(), s.conn, b)
	}
	return s.conn.Write(b)
}

// read implements Conn.Read.
func (s *secure) read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.takeAhead(b); n > 0 {
		return n, nil
	}
	if d := s.direct.Load(); d != nil {
		return s.wire.c.readPatiently(d.handle(), s.conn.Read, b)
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

// recheck implements Conn.Recheck. A client can hang up inside TLS, so recheck has to read, unless
// another read is in progress: a read for a request notices the hang-up itself, and a running
// recheck looks again. Reading may have to reply to the client, which blocks while a write is in
// progress, so the leader must not call recheck.
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

// lookLocked reads ahead if c is being watched, and reports whether the client is gone.
func (s *secure) lookLocked() bool {
	if s.over || len(s.ahead) > 0 || !s.wire.c.watched() {
		return false
	}
	if s.writing.TryLock() { // otherwise the reply waits as the writer does, and ends with it
		defer s.writing.Unlock()
		s.wire.alone.Store(true)
		defer s.wire.alone.Store(false)
	}
	s.wire.c.drained = false // an event has arrived since
	var b [1]byte
	n, err := s.tryReadLocked(b[:])
	s.ahead = append(s.ahead, b[:n]...)
	return err != nil && err != ErrWait
}

// settled waits for a recheck that is in progress.
func (s *secure) settled() {
	s.mu.Lock()
	s.mu.Unlock() //lint:ignore SA2001 waiting for the lock is all it does
}

// finish is like settled, but final: the descriptor number is about to be reused.
func (s *secure) finish() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
}

// rest returns the bytes that were read ahead, and drops them.
func (s *secure) rest() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.ahead
	s.ahead = nil
	return b
}

// close sends close_notify to the client without blocking. It returns false if there was no room
// for all of it.
func (s *secure) close() bool {
	s.wire.closing.Store(true)
	s.conn.Close()
	return len(s.wire.unsent) == 0
}

// goodByeTime is how long a client that is slow to read may take to make room for close_notify. The
// value is that of package tls.
const goodByeTime = 5 * time.Second

// closeLater closes c once the rest of close_notify is written, or time has run out.
func (c *Conn) closeLater(unsent []byte) {
	c.SetWriteDeadline(time.Now().Add(goodByeTime))
	c.write(unsent)
	c.finish()
}

// remoteAddr converts a peer's address from text to a net.Addr.
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

// WriteLast writes b without blocking, and drops what does not fit. Nothing can be written
// afterwards. It is only for connections that park.
func (c *Conn) WriteLast(b []byte) {
	if s := c.sec.Load(); s != nil {
		if s.direct.Load() != nil {
			c.SetWriteDeadline(time.Now().Add(partTime))
		}
		s.wire.closing.Store(true)
		s.conn.Write(b)
		return
	}
	if c.use() {
		c.writeEnd(b)
		c.unuse()
		return
	}
	c.tryWrite(b)
}

// tryWrite writes what fits, without blocking.
func (c *Conn) tryWrite(b []byte) (n int, err error) {
	var errno syscall.Errno
	if c.use() {
		n, errno = sysWrite(int(c.handle.fd), b)
		c.unuse()
	} else {
		if !c.parks {
			return 0, os.ErrDeadlineExceeded
		}
		w, err := c.waiter()
		if err != nil {
			return 0, err
		}
		if err := w.rc.Control(func(fd uintptr) { n, errno = sysWrite(int(fd), b) }); err != nil {
			return 0, err
		}
	}
	if errno == 0 && n < len(b) {
		return n, io.ErrShortWrite
	}
	return max(n, 0), errnoOrNil(errno)
}
