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

// writeError responds to a request that cannot be served, and ends c.
func (w *Worker) writeError(c *Conn, err error) {
	var text, body string
	var status *statusError
	switch {
	case err == errTooLarge:
		text = "431 Request Header Fields Too Large"
		if bytes.IndexByte(w.in.bytes(), '\n') < 0 {
			text = "414 Request URI Too Long" // RFC 9112 section 3
		}
		body = text
	case err == errValues:
		text = "431 Request Header Fields Too Large"
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
		w.end(c) // there is nothing to respond to
		return
	}
	b := append(make([]byte, 0, 256), "HTTP/1.1 "...)
	b = append(b, text...)
	b = append(b, "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"...)
	if err != errCoding {
		// RFC 9110 section 6.6.1 does not require a Date on 501, and a test of net/http expects
		// none.
		b = appendDate(b)
	}
	b = append(b, "\r\n"...)
	b = append(b, body...)
	if d := c.srv.HTTP.WriteTimeout; d > 0 {
		c.SetWriteDeadline(time.Now().Add(d))
	}
	c.WriteEnd(b)
	w.linger(c, true)
}

// closeAfter ends c after the response of x, which is its last. c lingers if the client has sent
// more than was read, or may be about to, because the server is the one that ends the connection.
func (w *Worker) closeAfter(c *Conn, x *exchange) {
	known := x.reply.reuse == lingerConn || w.in.buffered() > 0 || w.moreToRead(c)
	switch {
	case w.writeErr != nil:
		if !c.Parks() {
			c.GiveUp()
		}
		w.end(c)
	case known, !x.reply.wantsClose && w.srv.keepAlives():
		w.linger(c, known)
	default:
		w.end(c)
	}
}

// moreToRead reports whether there are unread bytes, as far as that can be known without waiting.
func (w *Worker) moreToRead(c *Conn) bool { return c.Parks() && !c.Drained() && w.readNow() }

// readNow reads what has arrived on a connection that parks, and reports whether that was anything.
func (w *Worker) readNow() bool {
	w.in.room(bufferSize)
	return w.in.try() == nil
}

// linger half-closes c, and ends it when the client has closed too, or after lingerTime. It does
// not hold a worker meanwhile. If c cannot be half-closed, only closing it tells the client of the
// end. Then c lingers only if the client is known to have sent more than was read.
func (w *Worker) linger(c *Conn, known bool) {
	w.release()
	halfClosed, err := c.closeHalf()
	if err != nil || !halfClosed && !known {
		c.End()
		return
	}
	c.Began()
	c.clearNoHeaderYet()
	c.phase = lingering
	if !c.Parks() {
		c.lingerAlone(halfClosed)
		return
	}
	w.serveLinger(c)
}

// closeHalf half-closes c, and reports whether c supports that.
func (c *Conn) closeHalf() (ok bool, err error) {
	if err = c.CloseWrite(); errors.Is(err, errors.ErrUnsupported) {
		return false, nil
	}
	return err == nil, err
}

// lingerAlone ends c after lingerTime, or, if the client has been told of the half-close, as soon
// as the client closes.
func (c *Conn) lingerAlone(told bool) {
	time.AfterFunc(lingerTime, c.EndInBackground)
	if told {
		c.Watch(c.EndInBackground)
	}
}

// serveLinger reads and discards what has arrived, in at most lingerReads reads. After that, a
// client that keeps sending is blocked until it reads the response and closes, or until lingerTime
// is over.
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
		if parked, err := c.Park(ForClose); parked {
			return
		} else if err != nil {
			c.End()
			return
		}
	}
}

// lingerReads is how many reads are discarded, so that a client that keeps sending does not occupy
// a worker.
const lingerReads = 32
