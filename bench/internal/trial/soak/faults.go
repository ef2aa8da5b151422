package soak

import (
	"fmt"
	"io"
	"net/http"
)

// fails sends a request whose handler does not finish. It may send another request after it, which
// must not be answered.
func (c *client) fails(path string) error {
	defer c.drop(false)
	r := c.request("GET", path, 4<<10+c.rnd.IntN(64<<10))
	b := r.head()
	if c.rnd.IntN(2) == 0 {
		b = append(b, c.request("GET", "/sing/", 100).head()...)
	}
	if _, err := c.nc.Write(b); err != nil {
		return err
	}
	if err := r.half(c.in); err != nil {
		return err
	}
	c.tally.answers(0, 1)
	return nil
}

// leave closes the connection, with a reset or normally.
func (c *client) leave() error {
	c.drop(c.rnd.IntN(2) == 0)
	c.tally.answers(0, 1)
	return nil
}

// hang disconnects while a handler waits for that.
func (c *client) hang() error {
	if _, err := c.nc.Write(c.request("GET", "/hang/", 0).head()); err != nil {
		return err
	}
	c.pause()
	return c.leave()
}

// halfHeader disconnects in the middle of a header.
func (c *client) halfHeader() error {
	b := c.some(100).head()
	if _, err := c.nc.Write(b[:1+c.rnd.IntN(len(b)-1)]); err != nil {
		return err
	}
	c.pause()
	return c.leave()
}

// halfBody disconnects in the middle of a body.
func (c *client) halfBody() error {
	n := 100 + c.rnd.IntN(32<<10)
	r := c.post("/echo/", n, n)
	b := r.content(c.rnd)
	if _, err := c.nc.Write(append(r.head(), b[:c.rnd.IntN(len(b))]...)); err != nil {
		return err
	}
	c.pause()
	return c.leave()
}

// resetReading resets the connection in the middle of a response.
func (c *client) resetReading() error {
	defer c.drop(true)
	r := c.request("GET", "/sing/", 1<<20+c.rnd.IntN(2<<20))
	if _, err := c.nc.Write(r.head()); err != nil {
		return err
	}
	res, err := r.begin(c.in, http.StatusOK)
	if err != nil {
		return err
	}
	if _, ok, err := r.hear(io.LimitReader(res.Body, c.rnd.Int64N(1<<20))); err != nil || !ok {
		return fmt.Errorf("%w: in the body (%v)", errWrong, err)
	}
	c.tally.answers(0, 1)
	return nil
}

// garbage sends something that is not a valid request, and expects an error response.
func (c *client) garbage() error {
	defer c.drop(false)
	texts := []string{
		// No Host.
		"GET / HTTP/1.1\r\n\r\n",
		// Two Hosts.
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		// Space before the colon.
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		// Not a number.
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
		// Two lengths.
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		// Unknown coding.
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: song\r\n\r\n",
		// Not HTTP.
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 something that looks like TLS\r\n\r\n\r\n",
	}
	if _, err := c.nc.Write([]byte(texts[c.rnd.IntN(len(texts))])); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.in, nil)
	switch {
	case err != nil:
		return err
	case res.StatusCode < 400 || res.Header.Get(header) != "":
		return fmt.Errorf("%w: garbage was answered with %v", errWrong, res)
	}
	c.tally.answers(1, 0)
	return nil
}
