package load

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Goroutines are an engine in which each connection has a goroutine.
type goroutines []*conn

func newGoroutines(addr *net.TCPAddr, r Request, n int) goroutines {
	request := r.bytes()
	var e goroutines
	for range n {
		e = append(e, &conn{addr: addr, request: request, close: r.Close, tls: r.TLS, in: make([]byte, 2<<10)})
	}
	return e
}

func (e goroutines) close() { e.interrupt() }

func (e goroutines) interrupt() {
	for _, c := range e {
		c.shut()
	}
}

func (e goroutines) run(end time.Time) []*Result {
	tallies := newTallies(len(e))
	var all sync.WaitGroup
	for i, c := range e {
		all.Go(func() { repeat(c, end, tallies.of(i)) })
	}
	all.Wait()
	return tallies.results()
}

func (e goroutines) once() error {
	for _, c := range e {
		if _, err := c.do(time.Now().Add(patience)); err != nil {
			return err
		}
	}
	return nil
}

// A requester sends one request at a time.
type requester interface {
	// do sends a request and receives the response. It returns the length of the response's body.
	do(deadline time.Time) (int64, error)

	// isShut reports whether the requester has been interrupted.
	isShut() bool
}

// repeat lets a requester send one request after the other until end, and at least one.
func repeat(r requester, end time.Time, t *tally) {
	for now := time.Now(); ; {
		n, err := r.do(end.Add(patience))
		began := now
		now = time.Now()
		switch {
		case err == nil:
			t.answer(now.Sub(began), n)
		case r.isShut():
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			t.error(errPatience)
		default:
			t.error(err)
			time.Sleep(backOff)
			now = time.Now()
		}
		if !now.Before(end) {
			return
		}
	}
}

// A conn is one connection. One goroutine at a time sends its requests; any goroutine may call
// shut.
type conn struct {
	addr    *net.TCPAddr
	request []byte
	close   bool // the server closes the connection after each response
	tls     bool
	answer  answer
	in      []byte   // what read reads
	stream  net.Conn // the connection, or TLS on it

	// mu is held to write the following fields, and to read them by any goroutine that does not
	// send requests.
	mu  sync.Mutex
	tcp *net.TCPConn // nil if there is no connection
	off bool         // set by shut
}

// do connects if there is no connection. If close is set, it waits until the server closes the
// connection. After an error there is no connection.
func (c *conn) do(deadline time.Time) (int64, error) {
	err := c.connect()
	if err == nil {
		c.tcp.SetDeadline(deadline)
		if _, err = c.stream.Write(c.request); err == nil {
			err = c.read()
		}
	}
	if err != nil || c.close {
		c.hangUp()
	}
	return c.answer.body, err
}

// read reads one response and, if close is set, the end of the connection.
func (c *conn) read() error {
	c.answer.reset()
	for {
		n, err := c.stream.Read(c.in)
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		complete, err := c.answer.take(c.in[:n])
		if err != nil || complete && !c.close {
			return err
		}
		if complete {
			break
		}
		if n == len(c.in) && n < 64<<10 { // it is a long response
			c.in = make([]byte, 2*n)
		}
	}
	n, err := c.stream.Read(c.in)
	if n > 0 {
		return errMore
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// insecure is for clients of servers that have made their certificates themselves.
var insecure = &tls.Config{InsecureSkipVerify: true}

// connect connects, unless there is a connection. The handshake is left to the first write.
func (c *conn) connect() error {
	if c.tcp != nil {
		return nil
	}
	tcp, err := net.DialTCP("tcp", nil, c.addr)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off {
		tcp.Close()
		return errInterrupted
	}
	c.tcp, c.stream = tcp, tcp
	if c.tls {
		c.stream = tls.Client(tcp, insecure)
	}
	return nil
}

// hangUp closes the connection if there is one.
func (c *conn) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tcp != nil {
		c.tcp.Close()
		c.tcp = nil
	}
}

// shut closes the connection and prevents new ones.
func (c *conn) shut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = true
	if c.tcp != nil {
		c.tcp.Close()
	}
}

func (c *conn) isShut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off
}
