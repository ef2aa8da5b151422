package observe

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// A writer1 is the ResponseWriter of an HTTP/1 request.
type writer1 struct{ *observed }

// Hijack is that of the ResponseWriter.
func (w writer1) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.mu.Lock()
		if !w.over {
			w.req.Outcome = Hijacked
		}
		w.mu.Unlock()
	}
	return c, rw, err
}

// ReadFrom lets package net/http use sendfile(2).
func (w writer1) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(w.ResponseWriter, r) // whose error may be that of r
	w.wrote(n, nil)
	return n, err
}

// A writer2 is the ResponseWriter of an HTTP/2 request.
type writer2 struct{ *observed }

// Push is that of the ResponseWriter.
func (w writer2) Push(target string, opts *http.PushOptions) error {
	return w.ResponseWriter.(http.Pusher).Push(target, opts)
}
