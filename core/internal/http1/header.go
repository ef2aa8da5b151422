package http1

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

var (
	errTooLarge = errors.New("header too large")
	errDelegate = errors.New("another protocol")
)

// readHeader returns the next header block, valid until the next read; or park.ErrWait if it is
// not complete and nothing can be read at the moment.
func (w *Worker) readHeader(c *Conn) ([]byte, error) {
	limit := c.srv.headerLimit()
	in := &w.in
	for {
		if c.skipped += w.skipEmptyLines(); c.skipped > limit {
			return nil, errEmptyLines
		}
		few := c.phase == between && in.buffered() < fewBytes
		if in.buffered() > 0 && !few {
			end, next := headerEnd(in.bytes(), c.scanned)
			if end > 0 {
				c.scanned, c.checked, c.skipped = 0, false, 0
				block := in.bytes()[:end]
				if c.phase == opened && end < len(preface) && string(block) == preface[:end] && w.srv.http2() {
					if b := in.bytes(); len(b) >= len(preface) {
						return w.startHTTP2(block)
					}
				} else {
					in.r += end
					return block, nil
				}
			}
			c.scanned = next
		}
		if !in.room(limit) {
			return nil, errTooLarge
		}
		if in.buffered() > 0 && !few {
			if err := w.checkStart(c); err != nil {
				return nil, err
			}
		}
		if err := w.readMore(c); err != nil {
			if few && err == io.EOF {
				in.r = in.w
			}
			return nil, err
		}
	}
}

// fewBytes is how many bytes after a request are taken for the beginning of another. Fewer, and then the
// end, are not worth an answer, as in net/http.
const fewBytes = 4

// readMore reads what is there, or returns park.ErrWait; on a connection that does not park it waits.
func (w *Worker) readMore(c *Conn) error {
	switch {
	case !c.Parks():
		return w.wait(c)
	case c.Drained():
		return park.ErrWait
	}
	return w.in.try()
}

// preface is how HTTP/2 begins on a connection without TLS (RFC 9113 section 3.4). Its beginning looks like a request.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// startHTTP2 tells HTTP/2 from a request that only looks like it.
func (w *Worker) startHTTP2(block []byte) ([]byte, error) {
	if string(w.in.bytes()[:len(preface)]) == preface {
		w.in.r += len(preface)
		return nil, errDelegate
	}
	w.in.r += len(block)
	return block, nil
}

// checkStart refuses a request by its first line, as soon as that is there: who does not speak
// HTTP may never send the rest.
func (w *Worker) checkStart(c *Conn) error {
	b := w.in.bytes()
	i := bytes.IndexByte(b, '\n')
	if i < 0 || c.checked {
		return nil
	}
	c.checked = true
	line, _ := cutLine(string(b[:i+1]))
	return new(exchange).parseRequestLine(line)
}

// skipEmptyLines drops empty lines before a request line (RFC 9112 section 2.2), and returns how many bytes they
// had. A bare CR is none.
func (w *Worker) skipEmptyLines() (n int) {
	in := &w.in
	for before := in.r; ; n = in.r - before {
		switch b := in.bytes(); {
		case len(b) > 0 && b[0] == '\n':
			in.r++
		case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
			in.r += 2
		default:
			return n
		}
	}
}

// wait reads from a connection that does not park.
func (w *Worker) wait(c *Conn) error {
	w.deadline(c)
	if w.in.buffered() > 0 {
		return w.in.fill()
	}
	c.beginWait()
	if class, ok := w.srv.waits(c.phase, true); !ok || class == park.Grace {
		c.Interrupt()
	}
	err := w.in.fill()
	if c.endWait() && err == nil {
		w.timing = false // it is no wait for a request any more
		w.deadline(c)
	}
	return err
}

// deadline sets how long a connection that does not park waits: for its next request, and then
// for the header of it to be complete.
func (w *Worker) deadline(c *Conn) {
	if w.timing {
		return
	}
	d := c.srv.headerTimeout()
	if c.phase == between && w.in.buffered() == 0 {
		d = c.srv.idleTimeout()
	} else {
		w.timing = true
		c.begin()
	}
	var t time.Time
	if d > 0 {
		t = time.Now().Add(d)
	}
	c.SetReadDeadline(t)
	if c.tls != nil {
		c.SetWriteDeadline(t) // reading TLS may have to answer: CVE-2026-56862
	}
}
