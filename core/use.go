package recycling

import (
	"net"
	"net/http"

	"github.com/recycling-go/recycling/core/internal/engine"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// Use makes srv serve on recycled workers, while the application continues to call srv's own
// ListenAndServe, Serve, Shutdown and Close. It adds one line to an otherwise unchanged
// application, and must come before srv begins to serve:
//
//	srv := &http.Server{Addr: ":8080", Handler: router}
//	recycling.Use(srv)
//	err := srv.ListenAndServe()
//
// The Server that Use returns provides Stats. Its HTTP field is srv, and its other fields must not
// be changed once srv serves.
//
// Use replaces srv.BaseContext, which package net/http calls with each listener before it accepts
// anything. The function that Use sets serves the listener. Shutdown and Close behave as they do
// without Use: Shutdown waits for requests in flight until its context ends, and the remaining
// requests continue; Close ends them. Serve returns [http.ErrServerClosed] as soon as Shutdown or
// Close is called. If the application closes a listener, the Serve of that listener returns, and
// connections accepted from it continue.
//
// The differences are:
//
//   - SetKeepAlivesEnabled has no effect on HTTP/1, because an http.Server does not tell whether
//     keep-alives are enabled. Call SetKeepAlivesEnabled of the Server instead.
//   - Connections park only if the listener is a *net.TCPListener, a *net.UnixListener or a
//     *listener.Listener, or a tls listener on one of these. With a listener of any other type,
//     including types that embed one of these, each connection holds a worker while it waits,
//     because only the listener's Accept decides which connections to serve.
//   - Closing a listener, also by Shutdown or Close, takes some milliseconds longer, because the
//     server polls to find out that the listener is closed, and accepts connections that the kernel
//     has already completed. If the application closes a listener and then calls Shutdown, that may
//     return an error that wraps [net.ErrClosed], for closing the listener twice.
//   - A BaseContext of the application must be set before Use. If it is set later, it replaces the
//     one that Use has set, and srv serves as if Use had not been called.
//   - When srv begins to serve, its hooks ConnState and ConnContext are replaced by functions that
//     call them. They must not be set after that.
//   - LameDuck has no effect, and DrainTimeout only on the context of OnDrain.
//   - If a setting is invalid, the error is logged and the listener is closed. If accepting fails,
//     the error is logged too.
//
// Under [Goroutine], or if srv.Protocols is set and does not include HTTP/1, srv serves as if Use
// had not been called, except that ProxyProtocol, Log, Observer and OnDrain have an effect.
func Use(srv *http.Server, options ...Option) *Server {
	s := &Server{HTTP: srv}
	for _, o := range options {
		o(s)
	}
	s.HTTP = srv
	s.host = engine.NewHost(srv, true, s.startFor, s.proxyPolicy)
	srv.RegisterOnShutdown(s.beginDraining) // even if it never serves
	return s
}

// proxyPolicy returns what s.ProxyProtocol says, once s has begun to serve.
func (s *Server) proxyPolicy() *proxyproto.Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings.proxy
}

// startFor is startEngine for an http.Server that is about to serve l. Under Goroutine that serves
// l itself, and startFor logs it.
func (s *Server) startFor(l net.Listener) (*engine.Engine, error) {
	e, err := s.startEngine()
	if err == nil && e == nil && s.host != nil {
		s.logStart(l)
	}
	return e, err
}

// startEngine returns s's engine, or nil under Goroutine.
func (s *Server) startEngine() (*engine.Engine, error) {
	b, err := s.start()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.serves = true
	s.mu.Unlock()
	e, _ := b.(*engine.Engine)
	return e, nil
}
