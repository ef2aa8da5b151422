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

// A client does one act after the other, on connections of its own: it keeps one for as long as the acts allow.
type client struct {
	n        int
	server   *process
	rnd      *rand.Rand
	tally    *tally
	patience time.Duration

	nc   *net.TCPConn // nil: none yet
	in   *bufio.Reader
	quit func() bool // of nc, which ends with the context

	until    time.Time // of run
	waiting  sync.WaitGroup
	silences atomic.Int64 // connections that waiting waits for
}

// run acts until the time is over, or ctx ends.
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

// pick returns an act, by their weights.
func (c *client) pick() act {
	n := c.rnd.IntN(weights)
	for _, a := range acts {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	panic("BUG: the weights of acts do not add up")
}

// connect gets a connection if there is none, and gives it time for the next act.
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

// drop ends the connection, with a reset or in peace.
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

// request returns one with a canary of its own.
func (c *client) request(method, path string, size int) request {
	return request{canary: canary(c.rnd.Uint64()), method: method, path: path, size: size, body: -1}
}

// post returns a request with a body, of either framing.
func (c *client) post(path string, body, size int) request {
	r := c.request("POST", path, size)
	r.body, r.chunked = body, c.rnd.IntN(2) == 0
	return r
}

// some returns a request of any kind that is answered with 200.
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

// answered reads r's answer, which leaves the connection open or says otherwise.
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

// exchange sends r and reads its answer, after which there is nothing more to read.
func (c *client) exchange(r request) error {
	if _, err := c.nc.Write(r.bytes(c.rnd)); err != nil {
		return err
	}
	return c.answeredAll(r)
}

// answeredAll reads the answers, after which there is nothing more to read.
func (c *client) answeredAll(all ...request) error {
	for i, r := range all {
		if c.nc == nil {
			return io.ErrUnexpectedEOF // answers to earlier ones said that they were the last
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

// isReset reports whether err says that the other end has closed before it had read all.
func isReset(err error) bool {
	const windows = syscall.Errno(10054) // WSAECONNRESET; no other system has an error of that number
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, windows)
}
