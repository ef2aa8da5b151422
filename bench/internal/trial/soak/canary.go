package soak

import (
	"bytes"
	"io"
	"strconv"
)

// A canary identifies a request: it is in the request's path, in its header and throughout its
// body, and so it is in the response.
type canary uint64

// header is the header field of requests and responses that has the canary.
const header = "X-Canary"

func (c canary) String() string { return strconv.FormatUint(uint64(c), 16) }

// line returns the line that bodies consist of.
func (c canary) line() []byte { return append(strconv.AppendUint(nil, uint64(c), 16), '\n') }

// song returns n bytes of lines.
func (c canary) song(n int) []byte {
	line := c.line()
	return bytes.Repeat(line, n/len(line)+1)[:n]
}

// A canaryCheck checks whether what is written to it is a canary's song.
type canaryCheck struct {
	of    canary
	n     int  // bytes received
	wrong bool // a byte did not belong to this canary
}

func (l *canaryCheck) Write(b []byte) (int, error) {
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

// hear reads r to the end. It returns the number of bytes, and whether all of them belong to the
// canary.
func (c canary) hear(r io.Reader) (n int, ok bool, err error) {
	l := canaryCheck{of: c}
	_, err = io.Copy(&l, r)
	return l.n, !l.wrong, err
}
