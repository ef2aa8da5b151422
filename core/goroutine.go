package recycling

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
)

// A goroutineEngine is net/http's own server, with connections counted.
type goroutineEngine struct {
	http                       *http.Server
	accepted, closed, hijacked atomic.Int64
}

func newGoroutineEngine(s *Server, _ settings) *goroutineEngine {
	e := &goroutineEngine{http: s.HTTP}
	inner, state := s.HTTP.ConnContext, s.HTTP.ConnState
	s.HTTP.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if inner != nil {
			if ctx = inner(ctx, c); ctx == nil {
				return nil // net/http complains
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

func (e *goroutineEngine) serve(l net.Listener) error { return e.http.Serve(l) }
func (e *goroutineEngine) serveTLS(l net.Listener, certFile, keyFile string) error {
	return e.http.ServeTLS(l, certFile, keyFile)
}
func (e *goroutineEngine) shutdown(ctx context.Context) error { return e.http.Shutdown(ctx) }
func (e *goroutineEngine) close() error                       { return e.http.Close() }
func (e *goroutineEngine) setKeepAlivesEnabled(v bool)        { e.http.SetKeepAlivesEnabled(v) }

func (e *goroutineEngine) stats() Stats {
	s := Stats{Strategy: Goroutine, Accepted: e.accepted.Load(), Closed: e.closed.Load(), Hijacked: e.hijacked.Load()}
	s.Open = s.Accepted - s.Closed - s.Hijacked
	return s
}
