package observe

import (
	"context"
	"io"
	"net/http"
	"sync"

	"github.com/recycling-go/recycling/core/internal/route"
)

// Handler returns a handler that calls h and tells o about each request. It is for requests that
// package net/http serves; those that a Server of package recycling observes itself are passed on
// unchanged. Nil for h means [http.DefaultServeMux].
//
// The ResponseWriter that h gets has the methods that package net/http documents, and Unwrap for
// [http.ResponseController]. It lacks the unexported method of net/http's own by which an
// [http.MaxBytesReader] closes the connection: here a connection may be used again after a request
// that was too large.
func Handler(o Observer, h http.Handler) http.Handler {
	if h == nil {
		h = http.DefaultServeMux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if Observed(r.Context()) {
			h.ServeHTTP(w, r)
			return
		}
		x := &observed{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), route.Key{}, x))
		x.req = Request{
			HTTP: r, Method: r.Method, Path: r.URL.Path, RemoteAddr: r.RemoteAddr,
			TLS: r.TLS != nil, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
			ContentLength: r.ContentLength,
			Start:         Now(),
		}
		returned := false
		defer func() { x.end(o, returned) }()
		o.RequestStart(&x.req)
		h.ServeHTTP(x.writer(r), r)
		returned = true
	})
}

// An observed is a ResponseWriter that notes what the handler writes.
type observed struct {
	http.ResponseWriter

	mu    sync.Mutex // guards the following: handlers may write on several goroutines
	req   Request
	route string
	over  bool
	err   error // the first error of a write
}

// writer returns x with the optional methods that the ResponseWriter for r has.
func (x *observed) writer(r *http.Request) http.ResponseWriter {
	if r.ProtoMajor == 1 {
		return writer1{x}
	}
	if _, ok := x.ResponseWriter.(http.Pusher); ok {
		return writer2{x}
	}
	return x
}

// SetRoute implements route.Setter.
func (x *observed) SetRoute(pattern string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.over {
		x.route = pattern
	}
}

func (x *observed) end(o Observer, returned bool) {
	x.mu.Lock()
	x.over = true
	r := &x.req
	r.Duration = Now() - r.Start
	r.Route = x.route
	if r.Route == "" {
		r.Route = r.HTTP.Pattern
	}
	switch {
	case r.Outcome == Hijacked:
	case !returned, x.err != nil:
		r.Outcome = Aborted
	case r.Status == 0:
		r.Status = http.StatusOK
	}
	if r.FirstByte == 0 && r.Outcome == Completed {
		r.FirstByte = r.Duration
	}
	x.mu.Unlock()
	o.RequestEnd(r)
}

func (x *observed) WriteHeader(status int) {
	x.ResponseWriter.WriteHeader(status) // may panic
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over || x.req.Outcome == Hijacked {
		return
	}
	if x.req.Status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		x.req.Status = status
	}
}

// wrote notes that n bytes of the body were written.
func (x *observed) wrote(n int64, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over || x.req.Outcome == Hijacked {
		return
	}
	if x.req.Status == 0 {
		x.req.Status = http.StatusOK
	}
	x.req.Written += n
	if x.req.FirstByte == 0 {
		x.req.FirstByte = max(Now()-x.req.Start, 1)
	}
	if err != nil && err != http.ErrBodyNotAllowed && err != http.ErrContentLength && x.err == nil {
		x.err = err
	}
}

func (x *observed) Write(p []byte) (int, error) {
	n, err := x.ResponseWriter.Write(p)
	x.wrote(int64(n), err)
	return n, err
}

func (x *observed) WriteString(s string) (int, error) {
	n, err := io.WriteString(x.ResponseWriter, s)
	x.wrote(int64(n), err)
	return n, err
}

// Unwrap is for http.ResponseController.
func (x *observed) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func (x *observed) Flush() { x.FlushError() }

// FlushError is for http.ResponseController.
func (x *observed) FlushError() error {
	err := http.NewResponseController(x.ResponseWriter).Flush()
	x.wrote(0, nil)
	return err
}

// CloseNotify is that of the ResponseWriter, if it has one. Otherwise the channel receives nothing.
func (x *observed) CloseNotify() <-chan bool {
	//lint:ignore SA1019 handlers may still use it
	if n, ok := x.ResponseWriter.(http.CloseNotifier); ok {
		return n.CloseNotify()
	}
	return make(chan bool)
}
