package park

import (
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// This file ends a wait for a client that makes no progress. An operation that does not have to
// wait reads no clock and sets no timer.

// A Patience bounds how long reading waits in total without progress.
type Patience struct {
	// Limit is how long reading may wait until there is progress.
	Limit time.Duration

	waited time.Duration
	some   int // bytes since the last progress
}

// minProgress is how many bytes count as progress.
const minProgress = 1 << 10

// got records n bytes, which took the time waited to arrive.
func (p *Patience) got(n int, waited time.Duration) {
	p.waited += waited
	if p.some += n; p.some >= minProgress {
		p.some, p.waited = 0, 0
	}
}

// SetPatience bounds waiting by Read from now on; nil removes the bound. The caller must own c, and
// from then on only Read uses p.
func (c *Conn) SetPatience(p *Patience) {
	before := c.patience
	if c.patience = p; before == nil || p != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.bounds == nil || c.bounds.read == 0 {
		return
	}
	c.bounds.read = 0
	c.handle.setReadDeadline(fromNanos(c.readBy.Load()))
}

// bounds holds the time limits for waiting on one connection.
type bounds struct {
	// read and write are when to stop waiting, in addition to the deadlines, in nanoseconds since
	// epoch; zero means never.
	read, write int64

	// The following are for a net.Conn, which does not report whether a Write is waiting.

	// writes is incremented when a write begins and when it ends, so it is odd during a write. The
	// top bit is cutShort.
	writes atomic.Uint64
	// seen is the value of writes at the last stallCheck, and checks is how many times stallCheck
	// has found that value. Only stallCheck uses them.
	seen   uint64
	checks uint8
}

// cutShort is set in bounds.writes when stallCheck has ended a write.
const cutShort = 1 << 63

// after returns the time d after t, in nanoseconds since epoch, without overflow. By the clock of
// package testing/synctest, t is before epoch.
func after(t int64, d time.Duration) int64 { return t + min(int64(d), math.MaxInt64-max(t, 0)) }

// earlier returns the earlier of two deadlines, where zero means no deadline.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// boundsLocked returns c's bounds. The caller holds c.mu.
func (c *Conn) boundsLocked() *bounds {
	if c.bounds == nil {
		c.bounds = new(bounds)
	}
	return c.bounds
}

// boundedLocked returns when reading or writing must end, by its deadline and c's bounds; zero
// means never.
func (c *Conn) boundedLocked(by *atomic.Int64) int64 {
	switch x := c.bounds; {
	case x == nil:
		return by.Load()
	case by == &c.readBy:
		return earlier(by.Load(), x.read)
	default:
		return earlier(by.Load(), x.write)
	}
}

// boundRead makes reading end at until.
func (c *Conn) boundRead(w handle, until int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.boundsLocked().read = until
	w.setReadDeadline(fromNanos(c.boundedLocked(&c.readBy)))
}

// boundWrite makes writing end at until.
func (c *Conn) boundWrite(w handle, until int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.boundsLocked().write = until
	w.setWriteDeadline(fromNanos(c.boundedLocked(&c.writeBy)))
}

// readSlowly reads from w, waiting as long as c's patience allows.
func (c *Conn) readSlowly(w handle, b []byte) (int, error) {
	if c.patience == nil {
		return w.read(b)
	}
	return c.readPatiently(w, w.read, b)
}

// readPatiently calls read, which waits as long as w's deadlines and c's patience allow.
func (c *Conn) readPatiently(w handle, read func([]byte) (int, error), b []byte) (int, error) {
	p := c.patience
	if p == nil {
		return read(b)
	}
	if p.waited >= p.Limit {
		return 0, os.ErrDeadlineExceeded
	}
	begin := nanos()
	c.boundRead(w, after(begin, p.Limit-p.waited))
	defer c.boundRead(w, 0)
	n, err := read(b)
	p.got(n, time.Duration(nanos()-begin))
	return n, err
}

// writeSlowly writes to w, waiting as long as there is progress. It is for connections that park.
func (c *Conn) writeSlowly(w handle, b []byte) (done int, err error) {
	limit := c.set.config.WriteStall
	if limit <= 0 {
		return w.write(b)
	}
	if w.kind == socket { // a write that need not wait is not worth a deadline
		n, errno, err := w.tryWrite(b)
		if done = n; done == len(b) || err == nil && errno != syscall.EAGAIN {
			return done, errnoOrNil(errno)
		}
	}
	defer c.boundWrite(w, 0)
	for {
		c.boundWrite(w, after(nanos(), limit))
		n, err := w.write(b[done:])
		done += n
		if n == 0 || done == len(b) || !errors.Is(err, os.ErrDeadlineExceeded) || past(&c.writeBy) {
			return done, err
		}
	}
}

// A write to a net.Conn that does not park is split into pieces, so that each one written counts as
// progress.
const (
	pieceSize    = 64 << 10
	tlsPieceSize = 16 << 10 // one record; package tls fails for good when a write is cut short
	filePiece    = 1 << 20
)

// writeDirect writes to the tls.Conn that runs on w, as long as each record makes progress.
func (c *Conn) writeDirect(w handle, conn *tls.Conn, b []byte) (done int, err error) {
	limit := c.set.config.WriteStall
	if limit <= 0 {
		return conn.Write(b)
	}
	defer c.boundWrite(w, 0)
	for {
		c.boundWrite(w, after(nanos(), limit))
		n, err := conn.Write(b[done:min(done+tlsPieceSize, len(b))])
		done += n
		if done == len(b) || err != nil {
			return done, err
		}
	}
}

// writePieces is write for connections that do not park.
func (c *Conn) writePieces(b []byte) (done int, err error) {
	size := pieceSize
	if _, ok := c.handle.nc.(*tls.Conn); ok {
		size = tlsPieceSize
	}
	for {
		piece := b[done:min(done+size, len(b))]
		n, more, err := c.writing(func() (int64, error) {
			n, err := c.handle.nc.Write(piece)
			return int64(n), err
		})
		done += int(n)
		switch {
		case done == len(b) || err != nil && !more:
			return done, err
		case err == nil && int(n) < len(piece):
			return done, io.ErrShortWrite
		}
	}
}

// writing calls write, which stallCheck ends if it takes too long. more reports that write was
// ended that way, but had made progress.
func (c *Conn) writing(write func() (int64, error)) (n int64, more bool, err error) {
	if c.set.config.WriteStall <= 0 {
		n, err = write()
		return n, false, err
	}
	x := c.bounds // set by Add
	x.writes.Add(1)
	n, err = write()
	if x.writes.Add(1)&cutShort == 0 {
		return n, false, err
	}
	c.mu.Lock() // stallCheck may still be running
	defer c.mu.Unlock()
	x.writes.Add(cutShort) // clears cutShort
	_, broken := c.handle.nc.(*tls.Conn)
	if err != nil && (n == 0 || broken || !errors.Is(err, os.ErrDeadlineExceeded)) {
		return n, false, err
	}
	c.handle.nc.SetWriteDeadline(fromNanos(c.writeBy.Load()))
	return n, !past(&c.writeBy), err
}

// stallChecks is how many checks must find a write without progress before it is ended.
const stallChecks = 4

// stallCheck ends c's write if it made no progress during several checks. The net.Conn may be the
// application's: a panic of its methods is dropped, since there is nowhere to report it.
func (c *Conn) stallCheck() {
	defer func() { recover() }()
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.bounds
	if x == nil || c.ended {
		return
	}
	now := x.writes.Load()
	if now != x.seen || now%2 == 0 {
		x.seen, x.checks = now, 0
		return
	}
	if x.checks++; x.checks < stallChecks {
		return
	}
	x.checks = 0
	if x.writes.CompareAndSwap(now, now|cutShort) {
		c.handle.nc.SetWriteDeadline(longAgo)
	}
}

// newBounds returns the bounds of a new connection that does not park; nil if its writes are not
// checked.
func (s *Set) newBounds() *bounds {
	if s.config.WriteStall <= 0 {
		return nil
	}
	return new(bounds)
}

// watchWrites has the writes checked periodically of a connection that does not park, and that was
// just added.
func (s *Set) watchWrites() {
	if s.config.WriteStall <= 0 {
		return
	}
	s.stallMu.Lock()
	defer s.stallMu.Unlock()
	s.stallMore = true
	if s.stallTimer == nil {
		s.stallTimer = time.AfterFunc(s.config.WriteStall/stallChecks, s.checkWrites)
	}
}

// checkWrites checks all connections that do not park, and runs again as long as there are any.
func (s *Set) checkWrites() {
	some := false
	defer func() { // also after Goexit in a method of the application's net.Conn
		s.stallMu.Lock()
		defer s.stallMu.Unlock()
		if some || s.stallMore {
			s.stallTimer.Reset(s.config.WriteStall / stallChecks)
		} else {
			s.stallTimer = nil
		}
	}()
	s.stallMu.Lock()
	s.stallMore = false
	s.stallMu.Unlock()
	s.Each(func(c *Conn) {
		if !c.Parks() {
			some = true
			c.stallCheck()
		}
	})
}

// A filePart is a regular file, or a limited part of one.
type filePart struct {
	f       io.Reader
	limited *io.LimitedReader // nil: the whole file
	remain  int64
}

// partOf returns the file that src reads. It returns false if that is not a regular file. It looks
// for a Stat method, since package os hides the *os.File type from io.Copy.
func partOf(src io.Reader) (filePart, bool) {
	p := filePart{remain: 1<<63 - 1}
	if p.limited, _ = src.(*io.LimitedReader); p.limited != nil {
		src, p.remain = p.limited.R, p.limited.N
	}
	f, ok := src.(interface{ Stat() (fs.FileInfo, error) })
	if !ok {
		return p, false
	}
	st, err := f.Stat()
	p.f = src
	return p, err == nil && st.Mode().IsRegular()
}

// sent records that n bytes were sent.
func (p *filePart) sent(n int64) {
	p.remain -= n
	if p.limited != nil {
		p.limited.N -= n
	}
}

// unread goes back by n bytes that were read and not sent, and reports whether it could. A ReadFrom
// that does not have the kernel copy reads ahead.
func (p *filePart) unread(n int64) bool {
	if n == 0 {
		return true
	}
	s, ok := p.f.(io.Seeker)
	if ok {
		_, err := s.Seek(-n, io.SeekCurrent)
		ok = err == nil
	}
	return ok
}

// sendPieces copies src, if that is a regular file, through the ReadFrom method of c's net.Conn.
// For everything else it returns false and copies nothing, since reading it might wait.
func (c *Conn) sendPieces(to io.ReaderFrom, src io.Reader) (done int64, ok bool, err error) {
	part, ok := partOf(src)
	if !ok {
		return 0, false, nil
	}
	for part.remain > 0 {
		size := min(part.remain, filePiece)
		piece := io.LimitedReader{R: part.f, N: size}
		n, more, err := c.writing(func() (int64, error) { return to.ReadFrom(&piece) })
		done += n
		part.sent(n)
		more = more && part.unread(size-piece.N-n)
		if err != nil && !more || err == nil && n < size {
			return done, true, err
		}
	}
	return done, true, nil
}
