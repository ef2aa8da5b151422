package load

import (
	"bytes"
	"errors"
	"fmt"
)

var (
	errLength = errors.New("the answer has no Content-Length that is a number")
	errMore   = errors.New("more bytes came than the answer has")
	errLong   = errors.New("the answer is too long")
)

// An answer is what has come of one.
type answer struct {
	n   int // bytes
	buf [2 << 10]byte
}

func (a *answer) free() []byte { return a.buf[a.n:] }

// complete reports whether all of it has come. After an error it never will.
func (a *answer) complete() (bool, error) {
	head, length, ok, err := parseHead(a.buf[:a.n])
	switch {
	case err != nil:
		return false, err
	case ok && a.n > head+length:
		return false, errMore
	case ok && a.n == head+length:
		return true, nil
	case a.n == len(a.buf):
		return false, errLong
	}
	return false, nil
}

// parseHead looks for the end of an answer's header in b. It returns the length of the header, and that of the body
// by Content-Length; ok is false if there are too few bytes yet. An answer other than 200 is an error.
func parseHead(b []byte) (head, length int, ok bool, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, 0, false, nil
	}
	line, rest, _ := bytes.Cut(b[:end], []byte("\r\n"))
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
		return 0, 0, false, fmt.Errorf("the answer is %q", line)
	}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			length, err = number(bytes.TrimSpace(value))
			return end + 4, length, err == nil, err
		}
	}
	return 0, 0, false, errLength
}

// number is strconv.Atoi without sign and without a string.
func number(b []byte) (n int, err error) {
	if len(b) == 0 || len(b) > 9 {
		return 0, errLength
	}
	for _, d := range b {
		if d < '0' || d > '9' {
			return 0, errLength
		}
		n = n*10 + int(d-'0')
	}
	return n, nil
}
