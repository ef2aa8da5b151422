package recyclingecho

import (
	"context"
	"crypto/tls"
	"net/http"

	"github.com/labstack/echo/v5"

	recycling "github.com/recycling-go/recycling/core"
)

// A Starter has the methods of the [echo.StartConfig] that it was made from, and serves on recycled
// workers. It may be used as often as its StartConfig may, and by several goroutines at once if the
// StartConfig may.
type Starter struct {
	config  echo.StartConfig
	options []recycling.Option
}

// Use returns a Starter that starts a server as sc does, on recycled workers:
//
//	sc := echo.StartConfig{Address: ":8080", GracefulTimeout: 5 * time.Second}
//	err := recyclingecho.Use(sc).Start(ctx, e) // was: sc.Start(ctx, e)
//
// All fields of sc apply. So do the settings that its BeforeServeFunc makes. If BeforeServeFunc
// keeps the http.Server, the application may use it as before: Shutdown and Close work as they do
// without Use. Options may set any other field of the [recycling.Server] that each start makes.
// Connections that are refused because the server is full get the response of echo's own error
// handler, unless an option sets Server.Shed.
//
// [recycling.Server.Listener] lists what is different. With TLS, the TLSConfig of the http.Server
// becomes a copy of sc's after BeforeServeFunc returns, and package net/http prepares it for
// HTTP/2, as for its own ServeTLS: it adds "http/1.1" to NextProtos that contain "h2", and returns
// an error for CipherSuites that HTTP/2 does not allow.
//
// If sc has no Listener, connections park, also those with TLS. If sc has one, it is served as it
// is: as without Use, neither TLSConfig nor certificates are used, and its connections park if it
// has one of the types that [recycling.Use] names.
func Use(sc echo.StartConfig, options ...recycling.Option) Starter {
	return Starter{sc, options}
}

// Start is [echo.StartConfig.Start], and also returns an error for invalid settings.
func (s Starter) Start(ctx context.Context, h http.Handler) error {
	return s.prepared(ctx).Start(ctx, h)
}

// StartTLS is [echo.StartConfig.StartTLS], which changes the Certificates of a TLSConfig that was
// set. It also returns an error for invalid settings.
func (s Starter) StartTLS(ctx context.Context, h http.Handler, certFile, keyFile any) error {
	if s.config.TLSConfig == nil {
		// Echo would make one that only it sees. This one is equal to it.
		s.config.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
	}
	return s.prepared(ctx).StartTLS(ctx, h, certFile, keyFile)
}

// prepared returns the StartConfig with a listener that opens when BeforeServeFunc is called. By
// then there is an http.Server, and StartTLS has read its certificate.
func (s Starter) prepared(ctx context.Context) echo.StartConfig {
	sc := s.config
	l := &late{Listener: sc.Listener}
	sc.Listener, sc.ListenerAddrFunc = l, nil
	sc.BeforeServeFunc = func(srv *http.Server) error { return s.beforeServe(ctx, srv, l) }
	return sc
}

// beforeServe does with l what echo does between opening a socket and serving it.
func (s Starter) beforeServe(ctx context.Context, srv *http.Server, l *late) error {
	sc, given := s.config, l.Listener != nil
	if !given {
		if err := l.open(ctx, sc.ListenerNetwork, sc.Address); err != nil {
			return err
		}
	}
	if sc.ListenerAddrFunc != nil {
		sc.ListenerAddrFunc(l.Addr())
	}
	if sc.BeforeServeFunc != nil {
		if err := sc.BeforeServeFunc(srv); err != nil {
			return err
		}
	}
	var config *tls.Config
	if sc.TLSConfig != nil && !given {
		config = sc.TLSConfig.Clone() // net/http changes it
		srv.TLSConfig = config
	}
	server := &recycling.Server{HTTP: srv}
	for _, o := range append([]recycling.Option{shed}, s.options...) {
		o(server)
	}
	server.HTTP = srv
	if config != nil && srv.TLSConfig != nil {
		config = srv.TLSConfig // an option may have set another
	}
	return l.recycle(server, config)
}
