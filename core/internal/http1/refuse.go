package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

// refuse answers a request that cannot be served, and ends c.
func (w *Worker) refuse(c *Conn, err error) {
	var text, body string
	var status *statusError
	switch {
	case err == errTooLarge:
		text = "431 Request Header Fields Too Large"
		if bytes.IndexByte(w.in.bytes(), '\n') < 0 {
			text = "414 Request URI Too Long" // RFC 9112 section 3
		}
		body = text
	case err == errCoding:
		text = "501 Not Implemented"
		body = "Unsupported transfer encoding"
	case errors.As(err, &status):
		text = fmt.Sprintf("%d %s: %s", status.code, http.StatusText(status.code), status.text)
		body = text
	case errors.Is(err, errMalformed):
		text = "400 Bad Request"
		body = text
	case err == io.EOF && w.in.buffered() > 0:
		text = "400 Bad Request"
		body = text
	default:
		w.end(c) // there is nobody to answer
		return
	}
	b := append(make([]byte, 0, 256), "HTTP/1.1 "...)
	b = append(b, text...)
	b = append(b, "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"...)
	if err != errCoding {
		b = appendDate(b) // RFC 9110 section 6.6.1 leaves 501 free, and a test of net/http's knows it without
	}
	b = append(b, "\r\n"...)
	b = append(b, body...)
	if d := c.srv.HTTP.WriteTimeout; d > 0 {
		c.SetWriteDeadline(time.Now().Add(d))
	}
	c.Write(b)
	w.linger(c)
}

// lingerTime is how long a connection stays open for reading after an answer that the client may not
// have expected, so that bytes it still sends do not make its kernel drop that answer
// (RFC 9112 section 9.6). The number is net/http's.
const lingerTime = 500 * time.Millisecond

// linger says that nothing more comes, and ends c when the client has closed too, or after lingerTime. It
// keeps no worker.
func (w *Worker) linger(c *Conn) {
	w.release()
	if c.CloseWrite() != nil {
		c.End()
		return
	}
	c.Began()
	c.phase = lingering
	if !c.Parks() {
		c.lingerAlone()
		return
	}
	w.serveLinger(c)
}

// lingerAlone ends a connection that does not park after lingerTime, or when the client has closed.
func (c *Conn) lingerAlone() {
	time.AfterFunc(lingerTime, c.End)
	c.Watch(c.End)
}

// serveLinger reads and drops what is there, up to a bound: then a client that sends and sends has to wait
// until it reads the answer, or until lingerTime is over.
func (w *Worker) serveLinger(c *Conn) {
	buf := copyBuffer()
	defer releaseCopyBuffer(buf)
	for {
		for c.lingered < lingerReads {
			_, err := c.TryRead(buf)
			if err == park.ErrWait {
				break
			}
			if err != nil {
				c.End()
				return
			}
			c.lingered++
		}
		if c.lingered == lingerReads && c.HungUp() {
			c.End()
			return
		}
		if parked, err := c.Park(park.Linger); parked {
			return
		} else if err != nil {
			c.End()
			return
		}
	}
}

// lingerReads is how often bytes are dropped, so that such a client does not keep a worker.
const lingerReads = 32
