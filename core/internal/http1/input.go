package http1

import (
	"bytes"
	"io"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

// bufferSize is the size of the read buffer, and the longest trailer. A larger header gets a larger
// buffer, which is dropped afterwards.
const bufferSize = 4096

// An input is what a worker has read of its connection and not yet used: buf[r:w].
type input struct {
	c    *park.Conn
	buf  []byte
	r, w int

	// How long read waits for progress. Zero: for ever.
	patience, waited time.Duration
	progress         int // bytes since that was made
}

// enough is how many bytes are progress.
const enough = 1 << 10

// read reads from the connection, and waits. Waiting counts only here: the time that a handler takes between
// two reads is not the client's.
func (in *input) read(p []byte) (int, error) {
	if in.patience == 0 {
		return in.c.Read(p)
	}
	begin := time.Now()
	n, err := in.c.ReadWithin(p, in.patience-in.waited)
	in.waited += time.Since(begin)
	if in.progress += n; in.progress >= enough {
		in.progress, in.waited = 0, 0
	}
	return n, err
}

// limit bounds waiting from now on.
func (in *input) limit(patience time.Duration) {
	in.patience, in.waited, in.progress = patience, 0, 0
}

func (in *input) buffered() int { return in.w - in.r }
func (in *input) bytes() []byte { return in.buf[in.r:in.w] }

// room makes room for at least one more byte, and for limit bytes in all at the most.
// It reports false if there are that many already.
func (in *input) room(limit int) bool {
	if in.r == in.w {
		in.r, in.w = 0, 0
	}
	if in.w < len(in.buf) {
		return true
	}
	if in.buffered() >= limit {
		return false
	}
	if in.r > 0 {
		in.w = copy(in.buf, in.bytes())
		in.r = 0
		return true
	}
	bigger := make([]byte, min(2*len(in.buf), max(limit, bufferSize)))
	copy(bigger, in.buf)
	in.buf = bigger
	return true
}

// try reads what is there, or returns park.ErrWait.
func (in *input) try() error {
	n, err := in.c.TryRead(in.buf[in.w:])
	in.w += n
	if n > 0 {
		return nil
	}
	return err
}

// fill reads at least one byte more, and waits for it.
func (in *input) fill() error {
	n, err := in.read(in.buf[in.w:])
	in.w += n
	switch {
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

// Read gives out what is buffered, else it reads from the connection.
func (in *input) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if in.buffered() == 0 {
		if len(p) >= len(in.buf) {
			return in.read(p)
		}
		in.r, in.w = 0, 0
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.bytes())
	in.r += n
	return n, nil
}

// line returns the next line with its end, at most limit bytes of it, and waits for it. What it
// returns is valid until the next read.
func (in *input) line(limit int) ([]byte, error) {
	from := 0
	for {
		if i := bytes.IndexByte(in.bytes()[from:], '\n'); i >= 0 {
			line := in.bytes()[:from+i+1]
			if len(line) > limit {
				return nil, errLineTooLong
			}
			in.r += len(line)
			return line, nil
		}
		from = in.buffered()
		if from >= limit || !in.room(limit) {
			return nil, errLineTooLong
		}
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
}

// headerEnd returns the length of the header block that b begins with, its empty line included, or 0 if
// that is not complete. Looking begins at from, and next is where it goes on when there is more of b.
// Lines end in LF, with or without CR before (RFC 9112 section 2.2).
func headerEnd(b []byte, from int) (end, next int) {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return 0, len(b)
		}
		i += from
		switch rest := b[i+1:]; {
		case len(rest) == 0, len(rest) == 1 && rest[0] == '\r':
			return 0, i
		case rest[0] == '\n':
			return i + 2, 0
		case rest[0] == '\r' && rest[1] == '\n':
			return i + 3, 0
		}
		from = i + 1
	}
}
