package proxyproto

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Conn is a connection with the addresses that a proxy has sent. The first call of Read,
// ReadHeader, RemoteAddr or LocalAddr reads the header, and waits for it. The methods are safe for
// concurrent use, as those of any [net.Conn].
//
// Until the header has arrived, the earlier of two read deadlines counts: that of the application,
// and that of the header. If the header does not arrive in time, or is not valid, all reads fail,
// and the addresses are those of the connection itself.
type Conn struct {
	net.Conn

	policy *Policy // nil if there is no header to read

	once          sync.Once // reads the header; guards the following
	remote, local net.Addr  // from the header; nil if it has none
	err           error     // why there is no header

	ahead atomic.Bool // rest is not empty

	mu       sync.Mutex // guards the following
	rest     []byte     // was read beyond the header
	readBy   time.Time  // the application's read deadline
	headerBy time.Time  // while the header is read
}

// NewConn returns nc with other addresses. If local is nil, that address stays.
func NewConn(nc net.Conn, remote, local net.Addr) *Conn {
	return &Conn{Conn: nc, remote: remote, local: local}
}

// Conn returns nc, which a listener has accepted, with the addresses of its header. It returns nc
// itself if its peer is not a proxy, or if nc is a Conn already. It does not wait.
func (p *Policy) Conn(nc net.Conn) net.Conn {
	switch nc := nc.(type) {
	case nil, *Conn:
		return nc
	case *net.TCPConn, *net.UnixConn:
		if !p.trustsAddr(nc.RemoteAddr()) {
			return nc
		}
	}
	// RemoteAddr of any other type may wait, so it is called later.
	return &Conn{Conn: nc, policy: p, err: errCut}
}

// errCut is the error if the Read method of the connection has panicked while the header was read.
var errCut = errors.New("reading the header has failed")

// NetConn returns the connection below c, on which the header may not have been read yet.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// ReadHeader waits until the header has been read. The error says why the connection must be
// closed. Later calls return the same error. A server that calls ReadHeader first should pass the
// error to [Policy.Log], as other methods do if they are first.
func (c *Conn) ReadHeader() error {
	c.once.Do(c.readHeader)
	return c.err
}

// header is ReadHeader, but logs the error.
func (c *Conn) header() error {
	c.once.Do(func() {
		c.readHeader()
		if c.err != nil {
			c.policy.Log(nil, c.Conn.RemoteAddr(), c.err)
		}
	})
	return c.err
}

func (c *Conn) readHeader() {
	if c.policy == nil {
		return
	}
	if !c.policy.trustsAddr(c.Conn.RemoteAddr()) {
		c.err = nil
		return
	}
	defer c.setHeaderDeadline(0)
	if !c.policy.Optional() {
		c.setHeaderDeadline(c.policy.Timeout())
	}
	b := make([]byte, 0, firstRead)
	for {
		h, err := c.policy.Parse(b)
		if err == nil {
			c.found(h, b)
			return
		}
		if err != ErrIncomplete {
			c.err = err
			return
		}
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(2*cap(b), c.policy.MaxHeader())), b...)
		}
		n, err := c.Conn.Read(b[len(b):cap(b)])
		if n > 0 && len(b) == 0 && c.policy.Optional() {
			c.setHeaderDeadline(c.policy.Timeout())
		}
		b = b[:len(b)+n]
		switch {
		case n > 0:
			continue
		case err == nil:
			err = io.ErrNoProgress
		}
		c.failed(b, err)
		return
	}
}

// firstRead is the size of the first buffer. It has room for what most proxies send, and for a part
// of the first request.
const firstRead = 512

// found ends the reading of the header, which b begins with.
func (c *Conn) found(h Header, b []byte) {
	c.remote, c.local, c.err = h.Source, h.Destination, nil
	if len(b) > h.Len {
		c.rest = b[h.Len:]
		c.ahead.Store(true)
	}
}

// failed ends the reading of the header, of which only b has arrived, after err.
func (c *Conn) failed(b []byte, err error) {
	if c.err = Incomplete(err, b); err == io.EOF && len(b) > 0 && c.policy.Optional() {
		c.found(Header{}, b) // the beginning of something else
	}
}

// setHeaderDeadline sets or clears the deadline of the header.
func (c *Conn) setHeaderDeadline(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.headerBy
	if c.headerBy = (time.Time{}); d > 0 {
		c.headerBy = time.Now().Add(d)
	}
	if c.headerBy != was {
		c.Conn.SetReadDeadline(c.readByLocked())
	}
}

// readByLocked returns the earlier one of the two read deadlines.
func (c *Conn) readByLocked() time.Time {
	if c.readBy.IsZero() || !c.headerBy.IsZero() && c.headerBy.Before(c.readBy) {
		return c.headerBy
	}
	return c.readBy
}

// Read reads what follows the header.
func (c *Conn) Read(b []byte) (int, error) {
	if err := c.header(); err != nil {
		return 0, c.readError(err)
	}
	if c.ahead.Load() {
		if n := c.readAhead(b); n > 0 || len(b) == 0 {
			return n, nil
		}
	}
	return c.Conn.Read(b)
}

// readError returns err as an error of a read, after which package net/http closes the connection
// without a response.
func (c *Conn) readError(err error) error {
	if _, ok := err.(net.Error); ok || err == io.EOF {
		return err
	}
	a := c.Conn.RemoteAddr()
	return &net.OpError{Op: "read", Net: a.Network(), Addr: a, Err: err}
}

func (c *Conn) readAhead(b []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := copy(b, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 {
		c.rest = nil
		c.ahead.Store(false)
	}
	return n
}

// RemoteAddr returns the address of the client. It waits for the header.
func (c *Conn) RemoteAddr() net.Addr {
	if c.header(); c.remote != nil {
		return c.remote
	}
	return c.Conn.RemoteAddr()
}

// LocalAddr returns the address that the client has connected to. It waits for the header.
func (c *Conn) LocalAddr() net.Addr {
	if c.header(); c.local != nil {
		return c.local
	}
	return c.Conn.LocalAddr()
}

// SetReadDeadline implements [net.Conn].
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readBy = t
	return c.Conn.SetReadDeadline(c.readByLocked())
}

// SetDeadline implements [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// ReadFrom writes what it reads from r, by the ReadFrom method of the connection if it has one.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// CloseWrite half-closes the connection. It returns [errors.ErrUnsupported] if the connection does
// not have that method.
func (c *Conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}
