// Package recyclingecho serves an echo v5 application on recycled workers. An application changes
// one line. If it calls e.Start, it calls another function instead:
//
//	recyclingecho.Serve(e) // was: e.Start(":8080")
//
// If it has an [echo.StartConfig], it keeps that:
//
//	recyclingecho.Use(sc).Start(ctx, e) // was: sc.Start(ctx, e)
//
// An application that has its own [http.Server] passes it to [recycling.Use], and does not need
// this package. The package for echo v4 has the same name and is in adapters/echo. MIGRATING.md in
// this folder describes how to move from v4 to v5.
package recyclingecho

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/labstack/echo/v5"

	recycling "github.com/recycling-go/recycling/core"
)

// New returns a Server for e. Its http.Server is the one that e.Start would serve: Handler is e,
// ErrorLog writes to e.Logger at level error, and the timeouts are echo's, which in v5.4 means a
// ReadTimeout of 30 seconds. Options may change any of these. [recycling.New] says how the address
// is chosen. Connections that are refused because the server is full get the response of echo's own
// error handler, unless an option sets Server.Shed. New reads e.Logger, which must be set before.
func New(e *echo.Echo, options ...recycling.Option) *recycling.Server {
	adopt := func(s *recycling.Server) { s.HTTP = httpServer(e) }
	s := recycling.New(e, append([]recycling.Option{adopt, shed}, options...)...)
	observeRoutes(s, e)
	return s
}

// Serve serves e until SIGINT or SIGTERM, as e.Start does, and then drains; see
// [recycling.Server.Run], which also describes what it logs instead of echo's banner.
func Serve(e *echo.Echo, options ...recycling.Option) error {
	return New(e, options...).Run(context.Background(), nil)
}

// ServeTLS is Serve with TLS, and with HTTP/2 for clients that support it; see
// [recycling.Server.ServeTLS]. The address is chosen as for Serve: by default it is ":8080", not
// ":https".
func ServeTLS(e *echo.Echo, certFile, keyFile string, options ...recycling.Option) error {
	s := New(e, options...)
	return s.Run(context.Background(), func() error { return s.ListenAndServeTLS(certFile, keyFile) })
}

// shed is an option: it makes connections that are refused because the server is full get the
// response that echo's own error handler writes. It does not call the application's error handler,
// which would have to handle a request that no client has sent.
func shed(s *recycling.Server) {
	s.Shed = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, `{"message":"Service Unavailable"}`+"\n")
	})
}

// errMade ends echo's Start once it has made the http.Server.
var errMade = errors.New("recyclingecho: echo has made the http.Server")

// httpServer returns the http.Server that echo makes for e. Only echo knows its settings, so
// httpServer starts echo and stops it when echo passes the server to BeforeServeFunc.
func httpServer(e *echo.Echo) *http.Server {
	var made *http.Server
	sc := echo.StartConfig{
		Listener: nowhere{},
		BeforeServeFunc: func(srv *http.Server) error {
			made = srv
			return errMade
		},
	}
	sc.Start(context.Background(), e)
	return made
}

// A nowhere is a listener on which only Close is called.
type nowhere struct{ net.Listener }

func (nowhere) Close() error { return nil }
