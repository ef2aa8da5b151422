package soak

import (
	"bytes"
	"io"
	"strconv"
)

// A canary is what tells one request from all others: it is in its path, in its header and all over its body, and
// so it is in the answer.
type canary uint64

// header is the field that a canary is in, of requests and answers.
const header = "X-Canary"

func (c canary) String() string { return strconv.FormatUint(uint64(c), 16) }

// line is what bodies are made of.
func (c canary) line() []byte { return append(strconv.AppendUint(nil, uint64(c), 16), '\n') }

// song returns n bytes of lines.
func (c canary) song(n int) []byte {
	line := c.line()
	return bytes.Repeat(line, n/len(line)+1)[:n]
}

// A listener hears whether what is written to it is a canary's song.
type listener struct {
	of    canary
	n     int  // bytes heard
	wrong bool // a byte was not of this canary
}

func (l *listener) Write(b []byte) (int, error) {
	line := l.of.line()
	for rest := b; len(rest) > 0 && !l.wrong; {
		want := line[l.n%len(line):]
		n := min(len(want), len(rest))
		l.wrong = !bytes.Equal(rest[:n], want[:n])
		l.n += n
		rest = rest[n:]
	}
	return len(b), nil
}

// hear returns how many bytes came, and whether all of them were of the canary.
func (c canary) hear(r io.Reader) (n int, ok bool, err error) {
	l := listener{of: c}
	_, err = io.Copy(&l, r)
	return l.n, !l.wrong, err
}
