package http1

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"
)

// A memConn is a connection whose client has sent everything, closes its side and reads everything.
type memConn struct {
	cuts []byte
	over func() // called once at the end

	mu   sync.Mutex // guards following
	in   []byte
	i    int // index in cuts
	left int // bytes left of a partially read segment
	out  bytes.Buffer
}

// newMemConn returns a memConn, and a channel that is closed when the memConn is closed.
func newMemConn(in, cuts []byte) (c *memConn, over <-chan struct{}) {
	openConns.Add(1)
	ch := make(chan struct{})
	return &memConn{in: in, cuts: cuts, over: sync.OnceFunc(func() {
		openConns.Add(-1)
		close(ch)
	})}, ch
}

// Read returns bytes of one segment. The lengths of the segments follow from cuts, used cyclically.
// Without cuts, the input is one segment.
func (c *memConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	if c.left == 0 {
		c.left = len(c.in)
		if len(c.cuts) > 0 {
			c.left = int(c.cuts[c.i%len(c.cuts)]) + 1
			if c.left > 128 {
				c.left = (c.left - 128) * 64
			}
			c.i++
		}
	}
	n := copy(p, c.in[:min(c.left, len(c.in))])
	c.in, c.left = c.in[n:], c.left-n
	return n, nil
}

func (c *memConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *memConn) written() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Len()
}

func (c *memConn) Close() error {
	c.over()
	return nil
}

func (c *memConn) LocalAddr() net.Addr              { return memAddr{} }
func (c *memConn) RemoteAddr() net.Addr             { return memAddr{} }
func (c *memConn) SetDeadline(time.Time) error      { return nil }
func (c *memConn) SetReadDeadline(time.Time) error  { return nil } // Read never waits
func (c *memConn) SetWriteDeadline(time.Time) error { return nil }

type memAddr struct{}

func (memAddr) Network() string { return "mem" }
func (memAddr) String() string  { return "mem" }

// A halfClosing is for servers that wait half a second between half-closing and closing a
// connection. By that time everything has been sent.
type halfClosing struct{ *memConn }

func (c halfClosing) CloseWrite() error { return c.Close() }

// A oneListener accepts one connection.
type oneListener struct{ nc net.Conn }

func (l *oneListener) Accept() (nc net.Conn, err error) {
	if nc, l.nc = l.nc, nil; nc == nil {
		return nil, net.ErrClosed
	}
	return nc, nil
}

func (l *oneListener) Close() error   { return nil }
func (l *oneListener) Addr() net.Addr { return memAddr{} }
