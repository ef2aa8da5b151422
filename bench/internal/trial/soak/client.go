package soak

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A client does one act after the other. It keeps a connection for as long as the acts allow, and
// then opens another.
type client struct {
	n        int
	server   *process
	rnd      *rand.Rand
	tally    *tally
	patience time.Duration

	nc   *net.TCPConn // nil if there is no connection
	in   *bufio.Reader
	quit func() bool // stops the function that closes nc when the context ends

	until    time.Time // the end of run
	waiting  sync.WaitGroup
	silences atomic.Int64 // the number of connections that waiting waits for
}

// run does acts until the given time, or until ctx ends.
func (c *client) run(ctx context.Context, until time.Time) {
	c.until = until
	defer c.waiting.Wait()
	defer func() { c.drop(c.rnd.IntN(2) == 0) }()
	for time.Now().Before(until) && ctx.Err() == nil {
		a := c.pick()
		err := c.connect(ctx)
		if err == nil {
			err = a.do(c)
		}
		if ctx.Err() != nil {
			return
		}
		c.tally.act(a.name, err)
		if err != nil || c.rnd.IntN(16) == 0 {
			c.drop(c.rnd.IntN(2) == 0)
		}
		if c.rnd.IntN(8) == 0 {
			c.pause() // idle connections park
		}
	}
}

// pick returns a random act, by weight.
func (c *client) pick() act {
	n := c.rnd.IntN(weights)
	for _, a := range acts {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	panic("BUG: the weights of acts do not add up")
}

// connect connects if there is no connection, and sets the deadline of the next act.
func (c *client) connect(ctx context.Context) error {
	if c.nc == nil {
		nc, err := c.server.dial(ctx, c.n)
		if err != nil {
			return err
		}
		c.nc, c.in = nc, bufio.NewReader(nc)
		c.quit = context.AfterFunc(ctx, func() { nc.SetLinger(0); nc.Close() })
	}
	return c.nc.SetDeadline(time.Now().Add(c.patience))
}

// drop closes the connection, with a reset or normally.
func (c *client) drop(reset bool) {
	if c.nc == nil {
		return
	}
	c.quit()
	if reset {
		c.nc.SetLinger(0)
	}
	c.nc.Close()
	c.nc = nil
}

func (c *client) pause() { time.Sleep(time.Duration(c.rnd.IntN(int(20 * time.Millisecond)))) }

// request returns a request with a new canary.
func (c *client) request(method, path string, size int) request {
	return request{canary: canary(c.rnd.Uint64()), method: method, path: path, size: size, body: -1}
}

// post returns a request with a body, with either framing.
func (c *client) post(path string, body, size int) request {
	r := c.request("POST", path, size)
	r.body, r.chunked = body, c.rnd.IntN(2) == 0
	return r
}

// some returns a request of any kind whose response is 200.
func (c *client) some(most int) request {
	n := c.rnd.IntN(most)
	switch c.rnd.IntN(6) {
	case 0:
		return c.request("GET", "/chunks/", n)
	case 1:
		return c.request("HEAD", "/sing/", n)
	case 2:
		return c.request("GET", "/keep/", n)
	case 3, 4:
		return c.post("/echo/", n, n)
	}
	return c.request("GET", "/sing/", n)
}

// answered reads the response to r. If the response says that it is the last, the connection must
// end.
func (c *client) answered(r request, status int) error {
	res, err := r.answer(c.in, status)
	if err != nil {
		return err
	}
	c.tally.answers(1, 0)
	if res.Close {
		defer c.drop(false)
		return over(c.in)
	}
	return nil
}

// exchange sends r and reads its response. Nothing may follow the response.
func (c *client) exchange(r request) error {
	if _, err := c.nc.Write(r.bytes(c.rnd)); err != nil {
		return err
	}
	return c.answeredAll(r)
}

// answeredAll reads the responses. Nothing may follow the last one.
func (c *client) answeredAll(all ...request) error {
	for i, r := range all {
		if c.nc == nil {
			return io.ErrUnexpectedEOF // an earlier response said that it was the last
		}
		if err := c.answered(r, http.StatusOK); err != nil {
			return err
		}
		if i == len(all)-1 && c.nc != nil && c.in.Buffered() > 0 {
			return errWrong
		}
	}
	return nil
}

// isReset reports whether err means that the peer closed the connection before it had read
// everything.
func isReset(err error) bool {
	// WSAECONNRESET. No other system has an error of that number.
	const windows = syscall.Errno(10054)
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, windows)
}
