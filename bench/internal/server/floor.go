package server

import (
	"bytes"
	"fmt"
	"time"
)

// The floor is the least that a server can do for a request: accept, read, write, close. It looks
// at the path and at "Connection: close", spelled exactly so, and writes a prepared response. So it
// shows how much another server takes beyond what the kernel takes alone. It is not a server for
// other uses: each request must arrive in one piece, and after the response to the one before;
// otherwise the floor closes the connection.

// A reply is what the floor does for a request.
type reply struct {
	text  []byte
	sleep time.Duration // before text is written
	close bool          // after text is written
}

// parse returns the reply to a request. ok is false if b is not exactly one request.
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
