package recycling

import (
	"errors"
	"net"

	"github.com/recycling-go/recycling/core/internal/engine"
)

// Listener returns a listener for code that calls s.HTTP.Serve itself, as frameworks do. Its Accept
// serves the connections of l and does not return until l or the server is closed. Under
// [Goroutine] Listener returns l, or a listener on it if ProxyProtocol is set. If l is a listener
// of [tls.NewListener], it is served over TLS.
//
//	s := &recycling.Server{HTTP: srv}
//	l, err := s.Listener(l)
//	...
//	err = srv.Serve(l)
//
// The application stops s.HTTP by Shutdown or Close, which behave as they do without s: Shutdown
// waits for requests in flight until its context ends, and Close ends them. If the application
// closes the listener itself, Serve returns, and the connections continue. The application may call
// Shutdown and Close of s instead; Serve then returns [http.ErrServerClosed]. Two things differ:
//
//   - SetKeepAlivesEnabled must be called on s, because an http.Server does not tell whether
//     keep-alives are enabled.
//   - LameDuck has no effect.
//
// Listener sets s.HTTP.BaseContext, through which s learns that s.HTTP serves the listener. s does
// not learn that if another http.Server serves it, if s.HTTP serves a listener that wraps it
// (except one of package tls, such as ServeTLS makes), or if s.HTTP.BaseContext is set again later.
// Then these differences apply as well:
//
//   - s cannot distinguish Shutdown from Close. Either closes the listener, and its Accept then
//     waits for the requests in flight, for up to s.DrainTimeout rather than until the context of
//     Shutdown ends. After that it closes the connections that are left, and logs that. Close of s
//     does not wait.
//   - Accept returns connections that speak HTTP/2. They count as hijacked, have no limits, and
//     [FromContext] returns nil for them. ConnState sees them twice: as new and hijacked, and then
//     as new again.
//   - A listener of package tls that wraps the listener has no effect: connections are served
//     without TLS.
//
// If s.HTTP.Protocols is set and does not include HTTP/1, s.HTTP serves the listener as if it were
// l.
//
// s.HTTP must not be nil, and must not have begun to serve. When Serve is called, its hooks
// ConnState and ConnContext are replaced by functions that call them. Its other fields are read on
// the first call of Accept, or later.
func (s *Server) Listener(l net.Listener) (net.Listener, error) {
	if s.HTTP == nil {
		return nil, errors.New("recycling: Server.HTTP is nil, want the http.Server that will serve the listener")
	}
	e, err := s.startEngine()
	if err != nil {
		return nil, err
	}
	if e == nil {
		return engine.Proxied(l, s.proxyPolicy()), nil
	}
	e.MakeHost(s.startFor)
	return e.Listener(l), nil
}
