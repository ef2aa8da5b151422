package server

import (
	"bytes"
	"fmt"
	"time"
)

// The floor is the least that a server can do for a request: accept, read, write, close. It looks at the path and at
// "Connection: close", exactly so written, and answers with bytes that were there before. So it says how far another server is
// from what the system takes alone. It is no server for anything else: a request has to come in one piece and the
// next one after its answer, or the connection is closed.

// A reply is what the floor does about a request.
type reply struct {
	text  []byte
	sleep time.Duration // before it is written
	close bool          // after that
}

// parse returns the reply to a request; ok is false if it is not exactly one.
func parse(b []byte) (r reply, ok bool) {
	if n := bytes.Index(b, []byte("\r\n\r\n")); n < 0 || n+len("\r\n\r\n") != len(b) {
		return r, false
	}
	b, ok = bytes.CutPrefix(b, []byte("GET "))
	if !ok {
		return r, false
	}
	path, header, _ := bytes.Cut(b, []byte(" "))
	r.close = bytes.Contains(header, []byte("\r\nConnection: close\r\n"))
	texts := keepTexts
	if r.close {
		texts = closeTexts
	}
	r.text = texts.notFound
	if string(path) == "/yo" {
		r.text = texts.yo
	} else if ms, ok := bytes.CutPrefix(path, []byte("/sleep/")); ok {
		n, err := parseMS(string(ms))
		if err != nil {
			return r, true
		}
		r.text, r.sleep = texts.slept, time.Duration(n)*time.Millisecond
	}
	return r, true
}

type texts struct{ yo, slept, notFound []byte }

var keepTexts, closeTexts = newTexts(""), newTexts("Connection: close\r\n")

func newTexts(header string) texts {
	text := func(status, body string) []byte {
		return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Length: %d\r\nContent-Type: text/plain; charset=utf-8\r\n%s\r\n%s",
			status, len(body), header, body)
	}
	return texts{yo: text("200 OK", "Hey!"), slept: text("200 OK", "slept"), notFound: text("404 Not Found", "not found")}
}
