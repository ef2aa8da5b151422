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

// An engine sends the requests of all connections, each in its own goroutine. The tag
// load_goroutines selects it on Linux, for tests.
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

// interrupt ends run and once, now and in the future. It may be called while they run.
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

// A client is one connection. One goroutine at a time sends its requests; any goroutine may call
// shut.
type client struct {
	addr    *net.TCPAddr
	request []byte
	close   bool // the server closes the connection after each response
	answer  answer

	// mu is held to write the following fields, and to read them by any goroutine that does not
	// send requests.
	mu   sync.Mutex
	conn *net.TCPConn // nil if there is no connection
	off  bool         // set by shut
}

// loop sends one request after the other until end, and at least one.
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

// do sends one request and reads the response. It connects if there is no connection. If close is
// set, it waits until the server closes the connection. After an error there is no connection.
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

// read reads one response and, if close is set, the end of the connection.
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
	n, err := c.conn.Read(c.answer.buf[:1]) // the response is no longer needed
	if n > 0 {
		return errMore
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// connect connects, unless there is a connection.
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

// shut closes the connection and prevents new ones.
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
