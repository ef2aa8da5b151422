package main

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

// parseHead looks for the end of an answer's header in b. It returns the length of the header, and that of the body
// by Content-Length; ok is false if there are too few bytes yet. An answer other than 200 is an error.
func parseHead(b []byte) (head, length int, ok bool, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, 0, false, nil
	}
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 200 ")) {
		line, _, _ := bytes.Cut(b, []byte("\r\n"))
		return 0, 0, false, fmt.Errorf("the answer is %q", line)
	}
	const name = "\r\nContent-Length: " // as both servers write it
	i := bytes.Index(b[:end], []byte(name))
	if i < 0 {
		return 0, 0, false, errLength
	}
	v, _, _ := bytes.Cut(b[i+len(name):end], []byte("\r\n"))
	if len(v) == 0 || len(v) > 9 {
		return 0, 0, false, errLength
	}
	for _, d := range v {
		if d < '0' || d > '9' {
			return 0, 0, false, errLength
		}
		length = length*10 + int(d-'0')
	}
	return end + 4, length, true, nil
}
