package http1

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/gohttp"
)

// maxDiscard is how much of a body that the handler left unread is read so that the connection can
// be reused. Beyond that, closing the connection is cheaper. The number is net/http's.
const maxDiscard = 256 << 10

// A body is a request's body. It reads the worker's input until the handler has returned. Then it
// is detached, and returns http.ErrBodyReadAfterClose forever.
type body struct {
	x *exchange

	readToEnd atomic.Bool // the handler has seen io.EOF
	refused   atomic.Bool // the handler cannot read it: see response.stopContinueLocked
	// The last Read was cut short by an http.MaxBytesReader, and filled its buffer nevertheless.
	byMaxBytes atomic.Bool

	mu      sync.Mutex // guards following; held while reading
	in      *input     // nil once detached
	chunks  chunks
	chunked bool
	left    int64 // bytes left of a body of declared length
	end     bodyEnd
	access  bodyAccess
	taken   bool // the handler took over the connection, and may go on reading
}

// A bodyEnd says whether the end of a body was read.
type bodyEnd uint8

const (
	bodyUnread    bodyEnd = iota
	bodyAtEOF             // it was read, at the right place
	bodyTruncated         // the input ended prematurely
)

// A bodyAccess says whether the handler can read a body.
type bodyAccess uint8

const (
	bodyOpen        bodyAccess = iota
	bodyClosed                 // Read returns http.ErrBodyReadAfterClose
	bodyClosedEarly            // likewise; more was left than is worth reading
)

// closeTo makes b's access at least a. It is the only function that changes it.
func (b *body) closeTo(a bodyAccess) { b.access = max(b.access, a) }

// begin prepares b for a body of n bytes; -1 means chunked.
func (b *body) begin(x *exchange, n int64) {
	b.x, b.in, b.left, b.chunked = x, &x.worker.in, n, n < 0
}

// Read first sends "100 Continue" if the client waits for it.
func (b *body) Read(p []byte) (int, error) {
	if b.x.expects {
		b.mu.Lock()
		access := b.access
		b.mu.Unlock()
		if access == bodyOpen {
			b.x.res.sendContinue()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.access != bodyOpen || b.refused.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.readLocked(p)
	if err == io.EOF {
		b.readToEnd.Store(true)
	}
	b.byMaxBytes.Store(n == len(p) && cap(p) > n && calledByLimit())
	return n, err
}

func (b *body) readLocked(p []byte) (n int, err error) {
	switch {
	case b.end == bodyAtEOF:
		return 0, io.EOF
	case b.chunked:
		n, err = b.chunks.read(b.in, p)
		if err == io.EOF {
			if n > 0 && !bytes.HasPrefix(b.in.bytes(), []byte("\r\n")) {
				return n, nil // do not wait for the trailer with bytes in hand
			}
			if err = b.readTrailer(); err == nil {
				err = io.EOF
				b.end = bodyAtEOF
			} else {
				b.closeTo(bodyClosed) // nothing that follows can be trusted
			}
		}
	default:
		if int64(len(p)) > b.left {
			p = p[:b.left]
		}
		n, err = b.in.Read(p)
		b.left -= int64(n)
		switch {
		case err == io.EOF && b.left > 0:
			err = io.ErrUnexpectedEOF
			b.end = bodyTruncated
		case err == nil && b.left == 0:
			err = io.EOF // with the last bytes, to save the handler a call
			b.end = bodyAtEOF
		}
	}
	switch {
	case b.end == bodyAtEOF:
		b.x.allReceived()
	case err != nil:
		b.x.clientGone() // no more can be read
	}
	return n, err
}

var (
	errTrailerEOF  = errors.New("http: unexpected EOF reading trailer")
	errTrailerLong = errors.New("http: suspiciously long trailer after chunked body")

	errTrailerFields = errors.New("message too large") // net/textproto's text
)

// readTrailer reads the fields after the last chunk into the request's Trailer.
func (b *body) readTrailer() error {
	var fields strings.Builder
	for {
		line, err := b.in.line(bufferSize - fields.Len())
		switch {
		case err == errLineTooLong:
			return errTrailerLong
		case err == io.EOF:
			return errTrailerEOF
		case err != nil:
			return err
		}
		if !bytes.HasSuffix(line, []byte("\r\n")) {
			return errChunk
		}
		fields.Write(line)
		if len(line) == 2 {
			break
		}
	}
	if fields.Len() <= 2 {
		return nil
	}
	scratch := exchange{requestState: requestState{trailer: true}}
	trailer, err := scratch.parseFields([]byte(fields.String()), b.x.srv.fieldLimit())
	if err == errValues {
		return errTrailerFields
	} else if err != nil || scratch.spaceInName {
		return textproto.ProtocolError("malformed trailer")
	}
	t := &b.x.req.Trailer
	if *t == nil {
		*t = http.Header{}
	}
	for k, v := range trailer {
		(*t)[k] = v
	}
	return nil
}

// Close reads the rest of the body if that is short, so that the connection can be reused.
func (b *body) Close() error {
	if b.x.expects && gohttp.LateBodyIsRefused {
		b.x.res.refuseBody()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closeLocked()
}

func (b *body) closeLocked() (err error) {
	if b.access != bodyOpen || b.refused.Load() {
		return nil
	}
	switch {
	case b.end == bodyAtEOF, b.taken:
	case !b.chunked && b.x.res.wantsClose:
		// The connection will be closed, so reading on is pointless.
	case !b.chunked && b.left > maxDiscard:
		b.closeTo(bodyClosedEarly)
	default:
		var n int64
		n, err = b.discardLocked(maxDiscard)
		if n == maxDiscard && b.end != bodyAtEOF {
			b.closeTo(bodyClosedEarly)
		}
	}
	b.closeTo(bodyClosed)
	return err
}

// discardLocked reads and drops at most max bytes. The end of the body is no error.
func (b *body) discardLocked(max int64) (n int64, err error) {
	buf := copyBuffer()
	defer releaseCopyBuffer(buf)
	for n < max && err == nil {
		var k int
		k, err = b.readLocked(buf[:min(int64(len(buf)), max-n)])
		n += int64(k)
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// A verdict says what became of the rest of a body before the response header is written.
type verdict int

const (
	bodyRead   verdict = iota // nothing is left: the connection can be reused
	bodyBroken                // the body has an error, or was closed too early
	bodyLarge                 // too much is left
)

// settle reads the rest of the body, as far as that is worth it. It precedes the response because
// some clients do not read a response until they have sent everything.
func (b *body) settle() verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.access != bodyOpen && b.end == bodyUnread:
		return bodyBroken
	case b.access != bodyOpen, b.end == bodyAtEOF:
		return bodyRead
	case !b.chunked && b.left >= maxDiscard:
		return bodyLarge
	case b.end == bodyTruncated:
		// The handler has seen the error. Like net/http, do not announce a close that the client
		// began.
		return bodyRead
	}
	n, err := b.discardLocked(maxDiscard + 1)
	if gohttp.AnswerClosesBody || err == nil && n <= maxDiscard {
		b.closeTo(bodyClosed)
	}
	switch {
	case err != nil:
		return bodyBroken
	case n > maxDiscard:
		return bodyLarge
	}
	return bodyRead
}

// unread reports whether a part of the body has not been read.
func (b *body) unread() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.in != nil && b.end != bodyAtEOF
}

// remains reports whether Read might return more. It does not wait for a Read in progress.
func (b *body) remains() bool {
	if !b.mu.TryLock() {
		return true
	}
	defer b.mu.Unlock()
	return b.end == bodyUnread
}

// takeLocked makes b read from r, through which the handler reads its hijacked connection from now
// on.
func (b *body) takeLocked(r io.Reader) {
	b.taken = true
	if b.in != nil {
		in := newInput()
		in.shared = r
		b.in = &in
	}
}

// interrupt ends a Read that is still in progress on another goroutine when the handler has
// returned. Otherwise only the client could end it.
func (b *body) interrupt(c *Conn) {
	b.lock(c)
	b.mu.Unlock() // the Read is over
}

// lock locks mu, and ends a Read that is in progress.
func (b *body) lock(c *Conn) {
	if b.mu.TryLock() {
		return
	}
	c.SetReadDeadline(time.Unix(1, 0))
	b.mu.Lock()
}

// detach closes b, and takes the worker's input away from it. It reports whether b was read to its
// end, without which no other request can follow, and whether Close left more than is worth
// reading.
func (b *body) detach() (whole, early bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.in == nil {
		return true, false
	}
	b.closeLocked()
	b.in = nil
	b.closeTo(bodyClosed)
	return b.end == bodyAtEOF, b.access == bodyClosedEarly
}

// drop is detach for a connection that is about to end: it reads no more.
func (b *body) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.taken {
		b.in = nil
		b.closeTo(bodyClosed)
	}
}

// buffered reports whether the rest of a body of declared length is in the input buffer.
func (b *body) buffered() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.in != nil && !b.chunked && b.left <= int64(b.in.buffered())
}
