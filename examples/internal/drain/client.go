package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// A result is what the clients have counted.
type result struct {
	answered, inFlight, lost, truncated, racedIdle, racedReset, racedNew, badExits int
}

func (r *result) add(o result) {
	r.answered += o.answered
	r.inFlight += o.inFlight
	r.lost += o.lost
	r.truncated += o.truncated
	r.racedIdle += o.racedIdle
	r.racedReset += o.racedReset
	r.racedNew += o.racedNew
	r.badExits += o.badExits
}

const (
	keepRequest  = "GET / HTTP/1.1\r\nHost: example.test\r\n\r\n"
	closeRequest = "GET / HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n"
)

// A client sends requests until its connection is refused.
type client struct {
	addr    string
	request string
	signal  *atomic.Pointer[time.Time] // when the server was told to stop; nil before that
	// over is set when no more requests are to be sent, whatever listens on addr.
	over   *atomic.Bool
	first  func() // called after the first response
	result result

	conn   net.Conn // nil if there is no connection
	r      *bufio.Reader
	served bool // conn has received a response
}

func (c *client) run() {
	for !c.over.Load() && c.dial() == nil {
		sent, err := c.ask()
		if err == nil {
			continue
		}
		c.failed(sent, err)
		c.drop()
	}
	if c.first != nil {
		c.first() // so that nobody waits for this client
	}
}

// dial connects if there is no connection.
func (c *client) dial() error {
	if c.conn != nil {
		return nil
	}
	for {
		nc, err := net.DialTimeout("tcp", c.addr, 10*time.Second)
		if err != nil && c.signal.Load() == nil && !c.over.Load() {
			time.Sleep(time.Millisecond) // the server does not listen yet
			continue
		}
		if err != nil {
			return err
		}
		c.conn, c.served = nc, false
		if c.r == nil {
			c.r = bufio.NewReaderSize(nc, 1024)
		} else {
			c.r.Reset(nc)
		}
		return nil
	}
}

func (c *client) drop() {
	c.conn.Close()
	c.conn = nil
}

var (
	errPartial = errors.New("partial response")
	errUnsent  = errors.New("unsent request") // the server had closed the connection
)

// ask sends a request and reads the response. It returns the time when the kernel had taken the
// request.
func (c *client) ask() (sent time.Time, err error) {
	c.conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c.conn, c.request); err != nil {
		return time.Now(), errors.Join(errUnsent, err)
	}
	sent = time.Now()
	if _, err := c.r.Peek(1); err != nil {
		return sent, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return sent, errors.Join(errPartial, err)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil || n == 0 || resp.StatusCode != http.StatusOK {
		return sent, errors.Join(errPartial, err)
	}
	c.served = true
	c.result.answered++
	if at := c.signal.Load(); at != nil && sent.Before(*at) {
		c.result.inFlight++
	}
	if c.first != nil {
		c.first()
		c.first = nil
	}
	if resp.Close {
		c.drop()
	}
	return sent, nil
}

// failed counts a request without a complete response.
func (c *client) failed(sent time.Time, err error) {
	at := c.signal.Load()
	switch {
	case errors.Is(err, errUnsent):
		c.result.racedIdle++
	case at == nil || sent.Before(*at):
		c.result.lost++
		if *verbose && at != nil {
			fmt.Fprintf(os.Stderr, "lost: sent %v before the signal, on a connection with answers before: %t: %v\n", at.Sub(sent), c.served, err)
		}
	case errors.Is(err, errPartial):
		c.result.truncated++
	case !c.served:
		c.result.racedNew++
	case errors.Is(err, io.EOF):
		c.result.racedIdle++
	default:
		c.result.racedReset++
	}
}
