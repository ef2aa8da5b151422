package soak

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// An act is an action of a client on its connection, with a check of its result.
type act struct {
	name   string
	weight int // how often it is done, relative to the others
	do     func(*client) error
}

// acts are all acts.
var acts = []act{
	{"get", 20, func(c *client) error { return c.exchange(c.request("GET", "/sing/", c.rnd.IntN(4<<10))) }},
	{"chunks", 8, func(c *client) error { return c.exchange(c.request("GET", "/chunks/", c.rnd.IntN(32<<10))) }},
	{"head", 4, func(c *client) error { return c.exchange(c.request("HEAD", "/sing/", c.rnd.IntN(4<<10))) }},
	{"keep", 8, func(c *client) error { return c.exchange(c.request("GET", "/keep/", c.rnd.IntN(4<<10))) }},
	{"post", 12, func(c *client) error { n := c.rnd.IntN(64 << 10); return c.exchange(c.post("/echo/", n, n)) }},
	{"ignore", 4, func(c *client) error { return c.exchange(c.post("/ignore/", c.rnd.IntN(4<<10), 100)) }},
	{"large", 2, func(c *client) error { return c.exchange(c.request("GET", "/sing/", c.rnd.IntN(1<<20))) }},
	{"close", 8, (*client).last},
	{"old", 4, (*client).old},
	{"slow-write", 4, (*client).slowWrite},
	{"slow-read", 2, (*client).slowRead},
	{"pipeline", 8, (*client).pipeline},
	{"expect", 4, (*client).expect},
	{"early", 4, (*client).early},
	{"hijack", 4, (*client).hijack},
	{"half-close", 4, (*client).halfClose},
	{"panic", 2, func(c *client) error { return c.fails("/panic/") }},
	{"goexit", 2, func(c *client) error { return c.fails("/goexit/") }},
	{"cut", 2, func(c *client) error { return c.fails("/cut/") }},
	{"hang", 4, (*client).hang},
	{"half-header", 4, (*client).halfHeader},
	{"half-body", 4, (*client).halfBody},
	{"reset-connect", 4, func(c *client) error { c.drop(true); return nil }},
	{"reset-reading", 4, (*client).resetReading},
	{"reset-pipeline", 4, (*client).resetPipeline},
	{"garbage", 2, (*client).garbage},
	{"silent", 1, (*client).silent},
}

// weights is the sum of the weights of acts.
var weights = func() (n int) {
	for _, a := range acts {
		n += a.weight
	}
	return n
}()

// last sends a request that says it is the last one.
func (c *client) last() error {
	r := c.some(4 << 10)
	r.more = "Connection: close\r\n"
	return c.ends(c.exchange(r))
}

// old sends an HTTP/1.0 request: the connection only stays open if the request asks for it.
func (c *client) old() error {
	r := c.request("GET", "/sing/", c.rnd.IntN(4<<10))
	r.old = true
	if c.rnd.IntN(2) == 0 {
		r.more = "Connection: keep-alive\r\n"
		return c.exchange(r)
	}
	return c.ends(c.exchange(r))
}

var errGoesOn = errors.New("the connection goes on after its last answer")

// ends returns err, or an error if the connection is still open.
func (c *client) ends(err error) error {
	if err == nil && c.nc != nil {
		return errGoesOn
	}
	return err
}

// slowWrite sends a request in parts.
func (c *client) slowWrite() error {
	r := c.some(4 << 10)
	rest := r.bytes(c.rnd)
	for len(rest) > 0 {
		n := 1 + c.rnd.IntN(len(rest))
		if _, err := c.nc.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
		c.pause()
	}
	return c.answeredAll(r)
}

// slowRead reads a large response in parts.
func (c *client) slowRead() error {
	r := c.request("GET", "/sing/", 256<<10+c.rnd.IntN(4<<20))
	if _, err := c.nc.Write(r.bytes(c.rnd)); err != nil {
		return err
	}
	res, err := r.begin(c.in, http.StatusOK)
	if err != nil {
		return err
	}
	l := canaryCheck{of: r.canary}
	for {
		n, err := io.CopyN(&l, res.Body, 128<<10)
		if err != nil && err != io.EOF {
			return err
		}
		if n == 0 || err == io.EOF {
			break
		}
		c.pause()
	}
	if l.wrong || l.n != r.size {
		return fmt.Errorf("%w: %d bytes, want %d", errWrong, l.n, r.size)
	}
	c.tally.answers(1, 0)
	return nil
}

// send sends several requests in one write. The responses to all of them fit into the buffers of a
// connection.
func (c *client) send() ([]request, error) {
	var (
		all []request
		b   []byte
	)
	for range 2 + c.rnd.IntN(15) {
		r := c.some(1 << 10)
		all = append(all, r)
		b = append(b, r.bytes(c.rnd)...)
	}
	_, err := c.nc.Write(b)
	return all, err
}

func (c *client) pipeline() error {
	all, err := c.send()
	if err != nil {
		return err
	}
	return c.answeredAll(all...)
}

// resetPipeline disconnects between the responses of a pipeline.
func (c *client) resetPipeline() error {
	defer c.drop(true)
	all, err := c.send()
	if err != nil {
		return err
	}
	for _, r := range all[:c.rnd.IntN(len(all))] {
		if err := c.answered(r, http.StatusOK); err != nil {
			return err
		}
	}
	return nil
}

// expect sends a header with Expect: 100-continue, and sends the body after the 100 response.
func (c *client) expect() error {
	n := 1 + c.rnd.IntN(8<<10)
	r := c.post("/echo/", n, n)
	r.more = "Expect: 100-continue\r\n"
	if _, err := c.nc.Write(r.head()); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusContinue {
		return fmt.Errorf("status %d, want 100", res.StatusCode)
	}
	if _, err := c.nc.Write(r.content(c.rnd)); err != nil {
		return err
	}
	return c.answeredAll(r)
}

// early sends a header with Expect: 100-continue, and the server refuses the body. It does not wait
// for the server to close the connection, because net/http waits for the client.
func (c *client) early() error {
	defer c.drop(false)
	r := c.post("/early/", 1+c.rnd.IntN(1<<20), 100)
	r.more = "Expect: 100-continue\r\n"
	if _, err := c.nc.Write(r.head()); err != nil {
		return err
	}
	res, err := r.answer(c.in, http.StatusRequestEntityTooLarge)
	if err != nil {
		return err
	}
	if !res.Close {
		return errGoesOn
	}
	c.tally.answers(1, 0)
	return nil
}

// hijack makes the handler take over the connection.
func (c *client) hijack() error {
	defer c.drop(false)
	r := c.request("GET", "/hijack/", c.rnd.IntN(16<<10))
	r.more = "Connection: Upgrade\r\nUpgrade: song\r\n"
	if _, err := c.nc.Write(r.head()); err != nil {
		return err
	}
	if _, err := r.begin(c.in, http.StatusSwitchingProtocols); err != nil {
		return err
	}
	n, ok, err := r.hear(c.in)
	switch {
	case err != nil:
		return err
	case !ok || n != r.size:
		return fmt.Errorf("%w: %d bytes after an upgrade, want %d", errWrong, n, r.size)
	}
	c.tally.answers(1, 0)
	return nil
}

// halfClose closes the writing side of the connection after a request.
func (c *client) halfClose() error {
	defer c.drop(false)
	r := c.some(16 << 10)
	if _, err := c.nc.Write(r.bytes(c.rnd)); err != nil {
		return err
	}
	if err := c.nc.CloseWrite(); err != nil {
		return err
	}
	if err := c.answered(r, http.StatusOK); err != nil || c.nc == nil {
		return err
	}
	return over(c.in)
}
