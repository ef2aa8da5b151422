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
	errLong   = errors.New("the header of the answer is too long")
)

// An answer is a response that is being received. Its body is counted and not stored.
type answer struct {
	state   part
	chunked bool
	left    int    // of partBody: bytes until its end, or until that of the chunk
	body    int64  // bytes of the body so far, without the framing of chunks
	begun   []byte // the beginning of a header or line whose end has not been received
}

// A part of a response is what its next bytes belong to.
type part int

const (
	partHeader part = iota
	partBody        // of the whole body, or of a chunk
	partSize        // the line before a chunk
	partGap         // the line end after a chunk
	partEnd         // the empty line after the last chunk
	partNone        // the response is complete
)

// The longest header and the longest line that are accepted.
const (
	longestHeader = 2 << 10
	longestLine   = 64
)

// reset prepares a for the next response.
func (a *answer) reset() { *a = answer{begun: a.begun[:0]} }

// take adds the bytes that have been received. complete is true when they are the end of the
// response. take may not be called again after an error.
func (a *answer) take(b []byte) (complete bool, err error) {
	for len(b) > 0 {
		if a.state == partNone {
			return false, errMore
		}
		if a.state == partHeader {
			b, err = a.takeHeader(b)
		} else {
			b, err = a.takeBody(b)
		}
		if err != nil {
			return false, err
		}
	}
	return a.state == partNone, nil
}

// takeHeader takes the header if all of it has been received. It returns the bytes after it.
func (a *answer) takeHeader(b []byte) ([]byte, error) {
	whole := b
	if len(a.begun) > 0 {
		a.begun = append(a.begun, b...)
		whole = a.begun
	}
	head, length, ok, err := parseHead(whole)
	switch {
	case err != nil:
		return nil, err
	case ok && head > longestHeader, !ok && len(whole) > longestHeader:
		return nil, errLong
	case !ok:
		a.begun = append(a.begun[:0], whole...)
		return nil, nil
	}
	a.begun = a.begun[:0] // the bytes after the header stay until the next append
	switch {
	case length == chunked:
		a.chunked, a.state = true, partSize
	case length == 0:
		a.state = partNone
	default:
		a.left, a.state = length, partBody
	}
	return whole[head:], nil
}

// takeBody takes the next bytes of the body, or of its framing. It returns the bytes after them.
func (a *answer) takeBody(b []byte) ([]byte, error) {
	if a.state == partBody {
		n := min(a.left, len(b))
		a.left -= n
		a.body += int64(n)
		switch {
		case a.left > 0:
		case a.chunked:
			a.state = partGap
		default:
			a.state = partNone
		}
		return b[n:], nil
	}
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	if len(a.begun)+len(line) > longestLine {
		return nil, fmt.Errorf("the answer has %q… where a chunk begins or ends", b[:min(len(b), longestLine)])
	}
	if !ok {
		a.begun = append(a.begun, b...)
		return nil, nil
	}
	if len(a.begun) > 0 {
		a.begun = append(a.begun, line...)
		line, a.begun = a.begun, a.begun[:0]
	}
	line, ok = bytes.CutSuffix(line, []byte("\r"))
	if !ok {
		return nil, fmt.Errorf("the answer has the line %q, which does not end in CRLF", line)
	}
	return rest, a.takeLine(line)
}

// takeLine takes a line before or after a chunk. Trailers are an error.
func (a *answer) takeLine(line []byte) error {
	if a.state != partSize {
		if len(line) > 0 {
			return fmt.Errorf("the answer has %q after a chunk", line)
		}
		if a.state == partGap {
			a.state = partSize
		} else {
			a.state = partNone
		}
		return nil
	}
	size, err := strconv.ParseUint(string(line), 16, 31)
	if err != nil {
		return fmt.Errorf("the answer has a chunk of the size %q", line)
	}
	a.left, a.state = int(size), partBody
	if size == 0 {
		a.state = partEnd
	}
	return nil
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
