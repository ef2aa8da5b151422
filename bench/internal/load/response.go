package load

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

var (
	errLength = errors.New("the answer has neither a Content-Length that is a number nor chunks")
	errMore   = errors.New("more bytes came than the answer has")
	errLong   = errors.New("the answer is too long")
)

// An answer is the part of a response that has been received.
type answer struct {
	n   int // length in bytes
	buf [2 << 10]byte
}

func (a *answer) free() []byte { return a.buf[a.n:] }

// complete reports whether the whole response has been received. After an error, it never is.
func (a *answer) complete() (bool, error) {
	head, length, ok, err := parseHead(a.buf[:a.n])
	if ok && length == chunked {
		length, ok, err = parseChunks(a.buf[head:a.n])
	}
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

// chunked is the length that parseHead returns for a chunked body.
const chunked = -1

// parseHead looks for the end of a response's header in b. It returns the length of the header and
// the length of the body, which is chunked or the Content-Length. ok is false if b does not have
// the whole header yet. A response other than 200 is an error.
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
		if bytes.EqualFold(name, []byte("Transfer-Encoding")) && string(bytes.TrimSpace(value)) == "chunked" {
			return end + 4, chunked, true, nil
		}
	}
	return 0, 0, false, errLength
}

// parseChunks returns the length of a chunked body, including the last chunk. ok is false if b does
// not have the whole body yet. Trailers are an error.
func parseChunks(b []byte) (length int, ok bool, err error) {
	for {
		line, rest, found := bytes.Cut(b[length:], []byte("\r\n"))
		if !found {
			return 0, false, nil
		}
		size, err := strconv.ParseUint(string(line), 16, 16)
		if err != nil {
			return 0, false, fmt.Errorf("the answer has a chunk of the size %q", line)
		}
		length += len(line) + 2 + int(size) + 2
		if len(rest) < int(size)+2 {
			return 0, false, nil
		}
		if string(rest[size:size+2]) != "\r\n" {
			return 0, false, fmt.Errorf("the answer has %q after a chunk", rest[size:size+2])
		}
		if size == 0 {
			return length, true, nil
		}
	}
}

// number is strconv.Atoi for bytes without a sign; it does not need a string.
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
