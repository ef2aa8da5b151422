package recycling

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
)

// A nethttpBackend is net/http's own server, and counts connections.
type nethttpBackend struct {
	http                       *http.Server
	accepted, closed, hijacked atomic.Int64
}

func newNetHTTPBackend(s *Server, _ settings) *nethttpBackend {
	e := &nethttpBackend{http: s.HTTP}
	inner, state := s.HTTP.ConnContext, s.HTTP.ConnState
	s.HTTP.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if inner != nil {
			if ctx = inner(ctx, c); ctx == nil {
				return nil // net/http panics
			}
		}
		return context.WithValue(ctx, serverKey{}, s)
	}
	s.HTTP.ConnState = func(c net.Conn, to http.ConnState) {
		switch to {
		case http.StateNew:
			e.accepted.Add(1)
		case http.StateClosed:
			e.closed.Add(1)
		case http.StateHijacked:
			e.hijacked.Add(1)
		}
		if state != nil {
			state(c, to)
		}
	}
	return e
}

func (e *nethttpBackend) serve(l net.Listener) error { return e.http.Serve(l) }
func (e *nethttpBackend) serveTLS(l net.Listener, certFile, keyFile string) error {
	return e.http.ServeTLS(l, certFile, keyFile)
}
func (e *nethttpBackend) shutdown(ctx context.Context) error { return e.http.Shutdown(ctx) }
func (e *nethttpBackend) close() error                       { return e.http.Close() }
func (e *nethttpBackend) setKeepAlivesEnabled(v bool)        { e.http.SetKeepAlivesEnabled(v) }

// setLame does nothing: net/http cannot announce the end and leave idle connections open.
func (e *nethttpBackend) setLame() {}

func (e *nethttpBackend) stats() Stats {
	s := Stats{Strategy: Goroutine, Accepted: e.accepted.Load(), Closed: e.closed.Load(), Hijacked: e.hijacked.Load()}
	s.Open = s.Accepted - s.Closed - s.Hijacked
	return s
}
