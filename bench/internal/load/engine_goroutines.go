//go:build !linux || load_goroutines

package load

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// An engine makes the requests of all connections, each in a goroutine. The tag load_goroutines has it on Linux, for tests.
type engine struct {
	clients []*client
}

func newEngine(addr *net.TCPAddr, r Request, n int) (*engine, error) {
	e := new(engine)
	for range n {
		e.clients = append(e.clients, &client{addr: addr, request: r.bytes(), close: r.Close})
	}
	return e, nil
}

func (e *engine) close() { e.interrupt() }

// interrupt ends run and once, now and ever after. It may be called at the same time.
func (e *engine) interrupt() {
	for _, c := range e.clients {
		c.shut()
	}
}

func (e *engine) run(end time.Time) []*Result {
	results := make([]*Result, len(e.clients))
	var all sync.WaitGroup
	for i, c := range e.clients {
		results[i] = newResult()
		all.Go(func() { c.loop(end, results[i]) })
	}
	all.Wait()
	return results
}

func (e *engine) once() error {
	for _, c := range e.clients {
		if err := c.do(time.Now().Add(patience)); err != nil {
			return err
		}
	}
	return nil
}

// A client is one connection. One goroutine at a time makes its requests; shut is for any.
type client struct {
	addr    *net.TCPAddr
	request []byte
	close   bool // the server closes after each answer
	answer  answer

	mu   sync.Mutex   // held to change the following, and by those who make no requests to read them
	conn *net.TCPConn // nil while there is none
	off  bool         // by shut
}

// loop makes one request after the other until end, and one at least.
func (c *client) loop(end time.Time, r *Result) {
	for now := time.Now(); ; {
		err := c.do(end.Add(patience))
		began := now
		now = time.Now()
		switch {
		case err == nil:
			r.answer(now.Sub(began))
		case c.isShut():
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			r.error(errPatience)
		default:
			r.error(err)
			time.Sleep(backOff)
			now = time.Now()
		}
		if !now.Before(end) {
			return
		}
	}
}

// do sends one request and reads the answer. It connects if need be, and with close it waits for the server to close. After an
// error there is no connection.
func (c *client) do(deadline time.Time) error {
	err := c.connect()
	if err == nil {
		c.conn.SetDeadline(deadline)
		if _, err = c.conn.Write(c.request); err == nil {
			err = c.read()
		}
	}
	if err != nil || c.close {
		c.hangUp()
	}
	return err
}

// read reads one answer, and with close the end of the connection.
func (c *client) read() error {
	c.answer.n = 0
	for {
		n, err := c.conn.Read(c.answer.free())
		if err == io.EOF {
			return io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		c.answer.n += n
		complete, err := c.answer.complete()
		if err != nil || complete && !c.close {
			return err
		}
		if complete {
			break
		}
	}
	n, err := c.conn.Read(c.answer.buf[:1]) // the answer is not needed any more
	if n > 0 {
		return errMore
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// connect connects, unless it is connected.
func (c *client) connect() error {
	if c.conn != nil {
		return nil
	}
	conn, err := net.DialTCP("tcp", nil, c.addr)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.off {
		conn.Close()
		return errInterrupted
	}
	c.conn = conn
	return nil
}

// hangUp closes the connection if there is one.
func (c *client) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// shut closes the connection, and lets no other be opened.
func (c *client) shut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = true
	if c.conn != nil {
		c.conn.Close()
	}
}

func (c *client) isShut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off
}
