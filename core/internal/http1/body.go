package http1

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxDiscard is how much of a body that the handler left unread is read, so that the connection can be used
// again. Beyond that it is cheaper to close. The number is net/http's.
const maxDiscard = 256 << 10

// A body is a request's. It reads the worker's input, until the handler has returned: detached, it
// answers with http.ErrBodyReadAfterClose for ever.
type body struct {
	x *exchange

	readToEnd atomic.Bool // the handler has seen io.EOF
	limited   atomic.Bool // the last Read was cut short by a http.MaxBytesReader, and filled nevertheless

	mu      sync.Mutex // guards following, and is held while reading
	in      *input     // nil once detached
	chunks  chunks
	chunked bool
	left    int64 // of a body with a declared length
	eof     bool  // the end was read, and was where it should be
	cut     bool  // the input ended before it
	closed  bool
	early   bool // closed with more left than is worth reading
	taken   bool // the handler took over the connection
}

// begin prepares b for a body of n bytes; -1 means chunked.
func (b *body) begin(x *exchange, n int64) {
	b.x, b.in, b.left, b.chunked = x, &x.worker.in, n, n < 0
}

// Read also asks the client to go on if that waits for "100 Continue".
func (b *body) Read(p []byte) (int, error) {
	if b.x.expects {
		b.mu.Lock()
		closed := b.closed
		b.mu.Unlock()
		if !closed {
			b.x.res.sendContinue()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.readLocked(p)
	if err == io.EOF {
		b.readToEnd.Store(true)
	}
	b.limited.Store(n == len(p) && cap(p) > n && calledByLimit())
	return n, err
}

// calledByLimit reports whether it is http.MaxBytesReader that calls Read.
func calledByLimit() bool {
	var pc [1]uintptr
	if runtime.Callers(3, pc[:]) == 0 {
		return false
	}
	frame, _ := runtime.CallersFrames(pc[:]).Next()
	return frame.Function == "net/http.(*maxBytesReader).Read"
}

// overLimit reports whether a http.MaxBytesReader found the body too large. It tells the ResponseWriter so
// by a method that only net/http can have. But it can be told by how it reads: it asks for
// one byte more than it will give out, a part of the buffer that it was given, and has got it.
func (x *exchange) overLimit() bool { return x.body.limited.Load() }

func (b *body) readLocked(p []byte) (n int, err error) {
	switch {
	case b.eof:
		return 0, io.EOF
	case b.taken:
		panic("net/http: Request.Body read after its connection was hijacked")
	case b.chunked:
		n, err = b.chunks.read(b.in, p)
		if err == io.EOF {
			if n > 0 && !bytes.HasPrefix(b.in.bytes(), []byte("\r\n")) {
				return n, nil // do not wait for the trailer with bytes in hand
			}
			if err = b.readTrailer(); err == nil {
				err = io.EOF
				b.eof = true
			} else {
				b.closed = true // nothing that follows can be trusted
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
			b.cut = true
		case err == nil && b.left == 0:
			err = io.EOF // with the last bytes: it saves the handler a call
			b.eof = true
		}
	}
	switch {
	case b.eof:
		b.x.allReceived()
	case err != nil:
		b.x.clientGone() // nothing that follows could be read
	}
	return n, err
}

var (
	errTrailerEOF  = errors.New("http: unexpected EOF reading trailer")
	errTrailerLong = errors.New("http: suspiciously long trailer after chunked body")
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
	scratch := exchange{}
	if err := scratch.parseFields(fields.String()); err != nil || scratch.spaceInName {
		return textproto.ProtocolError("malformed trailer")
	}
	t := &b.x.req.Trailer
	if *t == nil {
		*t = http.Header{}
	}
	for k, v := range scratch.req.Header {
		(*t)[k] = v
	}
	return nil
}

// Close reads what is left if that is little, so that the connection can be used again.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closeLocked()
}

func (b *body) closeLocked() (err error) {
	if b.closed {
		return nil
	}
	switch {
	case b.eof, b.taken:
	case !b.chunked && b.x.req.Close:
		// The connection is closed next; no point in reading on.
	case !b.chunked && b.left > maxDiscard:
		b.early = true
	default:
		var n int64
		n, err = b.discardLocked(maxDiscard)
		b.early = n == maxDiscard
	}
	b.closed = true
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

// A verdict is what became of the rest of a body before the answer's header is written.
type verdict int

const (
	bodyRead   verdict = iota // nothing is left: the connection can be used again
	bodyBroken                // something is wrong with it, or it was closed too early
	bodyLarge                 // too much is left
)

// settle reads the rest of the body, as far as that is worth it. There are clients which read
// no answer until they have sent everything, so this comes before the answer.
func (b *body) settle() verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed && !b.eof && !b.cut:
		return bodyBroken
	case b.closed, b.eof:
		return bodyRead
	case !b.chunked && b.left >= maxDiscard:
		return bodyLarge
	case b.cut:
		return bodyRead // the handler knows; as net/http, do not announce an end that the client has made
	}
	n, err := b.discardLocked(maxDiscard + 1)
	switch {
	case err != nil:
		return bodyBroken
	case n > maxDiscard:
		return bodyLarge
	}
	b.closed = true
	return bodyRead
}

// unread reports whether there is more to come.
func (b *body) unread() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.in != nil && !b.eof
}

// take ends reading because the handler takes over the connection.
func (b *body) take() {
	b.mu.Lock()
	b.taken = true
	b.mu.Unlock()
}

// interrupt ends a Read that goes on beside the handler's return, since nobody but the client could.
func (b *body) interrupt(c *Conn) {
	if b.mu.TryLock() {
		b.mu.Unlock()
		return
	}
	c.SetReadDeadline(time.Unix(1, 0))
	b.mu.Lock()
	b.mu.Unlock() //lint:ignore SA2001 the Read is over
}

// detach closes b, and takes the worker's input from it. It reports whether b was read to its end, without which
// no other request can follow, and whether Close left more behind than is worth reading.
func (b *body) detach() (whole, early bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.in == nil {
		return true, false
	}
	b.closeLocked()
	b.in = nil
	b.closed = true
	return b.eof, b.early
}

// drop is detach for a connection that is at its end: nothing is read any more.
func (b *body) drop() {
	b.mu.Lock()
	b.in = nil
	b.closed = true
	b.mu.Unlock()
}
