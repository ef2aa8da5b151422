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

// readHeader returns the next header block, which is valid until the next read. It returns
// park.ErrWait if the header is incomplete and nothing can be read now.
func (w *Worker) readHeader(c *Conn) ([]byte, error) {
	limit := c.srv.headerLimit()
	in := &w.in
	for {
		if n := w.skipEmptyLines(); n > 0 {
			c.scanned = 0
			if n > limit-c.skipped {
				return nil, errEmptyLines
			}
			c.skipped += n
		}
		few := c.phase == keptAlive && in.buffered() < fewBytes
		if in.buffered() > 0 && !few {
			end, next, lines := headerEnd(in.bytes(), c.scanned)
			if end > 0 {
				in.work += end - c.scanned
				c.scanned, c.checked, c.lines, c.skipped = 0, 0, 0, 0
				block := in.bytes()[:end]
				if c.phase == opened && c.tls == nil && end < len(Preface) && string(block) == Preface[:end] && w.srv.http2() {
					if b := in.bytes(); len(b) >= len(Preface) {
						return w.startHTTP2(block)
					}
				} else {
					in.r += end
					return block, nil
				}
			} else {
				in.work += in.buffered() - c.scanned
				if err := w.checkLines(c, lines); err != nil {
					return nil, err
				}
			}
			c.scanned = next
		}
		if !in.room(limit) {
			return nil, errTooLarge
		}
		if err := w.readMore(c); err != nil {
			if few && err == io.EOF {
				in.r = in.w
			}
			return nil, err
		}
	}
}

// fewBytes is how many bytes after a request are taken for the beginning of another one. Fewer
// bytes followed by EOF get no response, as in net/http.
const fewBytes = 4

// readMore reads what has arrived, or returns park.ErrWait. On a connection that does not park it
// waits.
func (w *Worker) readMore(c *Conn) error {
	switch {
	case !c.Parks():
		return w.wait(c)
	case c.Drained():
		return park.ErrWait
	}
	return w.in.try()
}

// Preface is the HTTP/2 connection preface (RFC 9113 section 3.4). It begins like a request.
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// startHTTP2 distinguishes HTTP/2 from a request that begins like its preface. It leaves the
// preface in the input, for the implementation of HTTP/2.
func (w *Worker) startHTTP2(block []byte) ([]byte, error) {
	if string(w.in.bytes()[:len(Preface)]) == Preface {
		return nil, errDelegate
	}
	w.in.r += len(block)
	return block, nil
}

// checkLines rejects a request by the header lines that have arrived, up to end, before the header
// is complete. It does not examine the same line twice.
func (w *Worker) checkLines(c *Conn, end int) error {
	for c.checked < end {
		b := w.in.bytes()[c.checked:end]
		line := b[:bytes.IndexByte(b, '\n')+1]
		w.in.work += len(line)
		if err := checkLine(line, int(c.lines), c.srv.fieldLimit()); err != nil {
			return err
		}
		c.checked += len(line)
		if c.lines == 0 || !blank(line[0]) {
			c.lines++
		}
	}
	return nil
}

// skipEmptyLines drops empty lines before a request line (RFC 9112 section 2.2), and returns their
// length in bytes. A bare CR is not an empty line.
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
	if class, ok := w.srv.parkClass(c.phase, true); !ok || class == ForGrace {
		c.interrupt()
	}
	w.giveWriters()
	err := w.in.fill()
	w.takeWriters()
	if c.endWait() && err == nil {
		w.timing = false // the wait for a request is over
		w.deadline(c)
	}
	return err
}

// deadline sets how long a connection that does not park waits: for its next request, and then for
// the complete header of that.
func (w *Worker) deadline(c *Conn) {
	if w.timing {
		return
	}
	d := c.srv.headerTimeout()
	if c.phase == keptAlive && w.in.buffered() == 0 {
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
		c.SetWriteDeadline(t) // reading TLS may have to write: CVE-2026-56862
	}
}
