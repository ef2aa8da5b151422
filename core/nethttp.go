package recycling

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/recycling-go/recycling/core/internal/engine"
	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// A netHTTP is net/http's own server, and counts connections.
type netHTTP struct {
	http                       *http.Server
	proxy                      *proxyproto.Policy // nil: no peer is a proxy
	draining                   func()             // draining has begun
	accepted, closed, hijacked atomic.Int64
}

func newNetHTTP(s *Server, proxy *proxyproto.Policy) *netHTTP {
	b := &netHTTP{http: s.HTTP, proxy: proxy, draining: s.beginDraining}
	if s.Observer != nil {
		s.HTTP.Handler = observe.Handler(s.Observer, s.HTTP.Handler)
	}
	inner, state := s.HTTP.ConnContext, s.HTTP.ConnState
	s.HTTP.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if inner != nil {
			if ctx = inner(ctx, c); ctx == nil {
				return nil // net/http panics
			}
		}
		return context.WithValue(ctx, serverKey{}, s)
	}
	if s.host == nil { // otherwise startFor logs it
		base := s.HTTP.BaseContext
		s.HTTP.BaseContext = func(l net.Listener) context.Context {
			s.beginServe(l)
			if base == nil {
				return context.Background()
			}
			return base(l)
		}
	}
	s.HTTP.ConnState = func(c net.Conn, to http.ConnState) {
		switch to {
		case http.StateNew:
			b.accepted.Add(1)
		case http.StateClosed:
			b.closed.Add(1)
		case http.StateHijacked:
			b.hijacked.Add(1)
		}
		if state != nil {
			state(c, to)
		}
	}
	s.HTTP.RegisterOnShutdown(s.beginDraining)
	return b
}

func (b *netHTTP) Serve(l net.Listener) error {
	return b.served(b.http.Serve(engine.Proxied(l, b.proxy)))
}
func (b *netHTTP) ServeTLS(l net.Listener, certFile, keyFile string) error {
	return b.served(b.http.ServeTLS(engine.Proxied(l, b.proxy), certFile, keyFile))
}

// served returns err, the error of Serve. That may be the first sign that Close of the http.Server
// was called.
func (b *netHTTP) served(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		b.draining()
	}
	return err
}
func (b *netHTTP) Shutdown(ctx context.Context) error { return b.http.Shutdown(ctx) }
func (b *netHTTP) Close() (busy int, err error)       { return 0, b.http.Close() }
func (b *netHTTP) SetKeepAlivesEnabled(v bool)        { b.http.SetKeepAlivesEnabled(v) }

// SetLame does nothing: net/http cannot announce the end and leave idle connections open.
func (b *netHTTP) SetLame() {}

// Late reports that there may be requests that are not counted: none is.
func (b *netHTTP) Late() (n int64, unseen bool) { return 0, true }
func (b *netHTTP) NotLate(*http.Request)        {}

// AwaitHijacked does not wait: net/http does not report when such a handler returns.
func (b *netHTTP) AwaitHijacked(context.Context) int { return 0 }

func (b *netHTTP) Stats() engine.Stats {
	s := engine.Stats{Accepted: b.accepted.Load(), Closed: b.closed.Load(), Hijacked: b.hijacked.Load()}
	s.Open = s.Accepted - s.Closed - s.Hijacked
	return s
}
