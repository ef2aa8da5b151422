package http1

import (
	"bytes"
	"io"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

// bufferSize is the size of the read buffer, and the maximum length of a trailer. A longer header
// gets a larger buffer, which is dropped afterwards.
const bufferSize = 4096

// An input holds what a worker has read from its connection and not yet used: buf[r:w].
//
// The work per byte is bounded, however the client segments its input: a byte is examined and
// copied only a bounded number of times before it is used. To that end a header that arrives in
// pieces stays in one buffer, which moves with its connection from worker to worker and grows by
// doubling. Only new bytes are copied.
type input struct {
	c    *park.Conn
	own  []byte // the worker's own buffer, of length bufferSize
	buf  []byte // own, or a buffer that belongs to the connection's pending bytes
	r, w int

	work int // bytes searched for a line end, or copied: for tests

	patience park.Patience // of read, while waiting is bounded
	// shared, if not nil, is read instead of c, and never ahead: the handler has taken over the
	// connection, and reads from shared too.
	shared io.Reader
}

func newInput() input {
	own := make([]byte, bufferSize)
	return input{own: own, buf: own}
}

// read reads from the connection, and waits. Only this wait counts against the limit, not the time
// that a handler takes between two reads.
func (in *input) read(p []byte) (int, error) {
	if in.shared != nil {
		return in.shared.Read(p)
	}
	return in.c.Read(p)
}

// limit bounds how long reads wait from now on. Zero means no bound.
func (in *input) limit(patience time.Duration) {
	switch {
	case in.c == nil:
	case patience <= 0:
		in.c.SetPatience(nil)
	default:
		in.patience = park.Patience{Limit: patience}
		in.c.SetPatience(&in.patience)
	}
}

// resume starts with the bytes that suspend has returned, or with none.
func (in *input) resume(pending []byte) {
	in.r, in.w = 0, len(pending)
	in.buf = in.own
	if pending != nil {
		in.buf = pending[:cap(pending)]
	}
}

// suspend returns the buffered bytes, or nil if there are none.
func (in *input) suspend() []byte {
	b := in.bytes()
	switch borrowed := in.borrowed(); {
	case len(b) == 0:
		return nil
	case borrowed && in.r == 0: // still the same header
		return b
	case len(b) > max(bufferSize/2, len(in.buf)/4):
		if !borrowed {
			in.own = make([]byte, bufferSize)
		}
		return b
	}
	in.work += len(b)
	return append(make([]byte, 0, len(b)), b...)
}

// borrowed reports whether buf is not the worker's own buffer.
func (in *input) borrowed() bool { return &in.buf[0] != &in.own[0] }

func (in *input) buffered() int { return in.w - in.r }
func (in *input) bytes() []byte { return in.buf[in.r:in.w] }

// room makes room for at least one more byte, but for no more than limit bytes in total. It returns
// false if there are that many already.
func (in *input) room(limit int) bool {
	if in.r == in.w {
		in.r, in.w, in.buf = 0, 0, in.own
	}
	if in.w < len(in.buf) {
		return true
	}
	if in.buffered() >= limit {
		return false
	}
	if in.r > 0 && len(in.buf) >= bufferSize {
		in.work += in.buffered()
		in.w = copy(in.buf, in.bytes())
		in.r = 0
		return true
	}
	if len(in.buf) < bufferSize {
		return true // see readBuf
	}
	// Double the buffer, as far as limit allows.
	in.grow(min(len(in.buf), max(limit, bufferSize)-len(in.buf)))
	return true
}

// grow enlarges buf by n bytes.
func (in *input) grow(n int) {
	bigger := make([]byte, in.buffered()+n)
	in.work += in.buffered()
	in.w = copy(bigger, in.bytes())
	in.r, in.buf = 0, bigger
}

// readBuf returns the buffer for the next read. If buf is small, it has next to no room, which
// would cause many small reads. Then readBuf returns the worker's own buffer, shortened so that all
// the bytes still do not exceed bufferSize.
func (in *input) readBuf() []byte {
	if len(in.buf) < bufferSize {
		return in.own[:bufferSize-in.buffered()]
	}
	return in.buf[in.w:]
}

// commit adds the n bytes that were read into the result of readBuf.
func (in *input) commit(n int) {
	if n > 0 && len(in.buf) < bufferSize {
		if free := len(in.buf) - in.w; n > free {
			in.grow(min(max(n, in.buffered()), bufferSize-in.buffered()))
		}
		in.work += n
		copy(in.buf[in.w:], in.own[:n])
	}
	in.w += n
}

// try reads what has arrived, or returns park.ErrWait.
func (in *input) try() error {
	n, err := in.c.TryRead(in.readBuf())
	in.commit(n)
	if n > 0 {
		return nil
	}
	return err
}

// fill waits for at least one more byte and reads it.
func (in *input) fill() error {
	p := in.readBuf()
	if in.shared != nil {
		p = p[:1]
	}
	n, err := in.read(p)
	in.commit(n)
	switch {
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

// Read returns buffered bytes, or else reads from the connection.
func (in *input) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if in.buffered() == 0 {
		if in.shared != nil || len(p) >= len(in.own) {
			return in.read(p)
		}
		in.r, in.w, in.buf = 0, 0, in.own
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.bytes())
	in.r += n
	return n, nil
}

// line returns the next line including its end, and waits for it. A line longer than limit is an
// error. The result is valid until the next read.
func (in *input) line(limit int) ([]byte, error) {
	from := 0
	for {
		b := in.bytes()[:min(in.buffered(), max(limit, 0))]
		i := bytes.IndexByte(b[from:], '\n')
		if i >= 0 {
			in.work += i + 1
			line := b[:from+i+1]
			in.r += len(line)
			return line, nil
		}
		in.work += len(b) - from
		from = len(b)
		if from >= limit || !in.room(limit) {
			return nil, errLineTooLong
		}
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
}

// headerEnd returns the length of the header block at the beginning of b, including its empty line,
// or 0 if the block is incomplete. It searches from b[from]. The search continues at next when b
// has grown, and lines is the position after the last line end found, or 0. Lines end in LF,
// optionally preceded by CR (RFC 9112 section 2.2).
func headerEnd(b []byte, from int) (end, next, lines int) {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0, len(b), lines
		}
		i += from
		from = i + 1
		lines = from
		switch rest := b[from:]; {
		case len(rest) == 0, len(rest) == 1 && rest[0] == '\r':
			return 0, i, lines
		case rest[0] == '\n':
			return i + 2, 0, lines
		case rest[0] == '\r' && rest[1] == '\n':
			return i + 3, 0, lines
		}
	}
}
