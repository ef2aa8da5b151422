// Package recyclingecho serves an echo application on recycled workers. An application adds one
// line before e.Start or a similar method; its calls of e.Start, e.Shutdown and e.Close stay as
// they are:
//
//	recyclingecho.Use(e)
//
// An application without a graceful shutdown gets one by changing the line that starts it:
//
//	recyclingecho.Serve(e) // was: e.Start(":8080")
//
// The settings of Echo.Server apply: timeouts, ConnState, BaseContext and the others. So do
// HideBanner, HidePort, Debug and StdLogger.
package recyclingecho

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"

	recycling "github.com/recycling-go/recycling/core"
)

// ErrListener is returned by [Serve] and [ServeTLS] if Echo.Listener is set, or if
// Echo.ListenerNetwork is not "tcp", because they open their own listener. [Use] accepts both, and
// so does New(e).Serve(l).
var ErrListener = errors.New("recyclingecho: Serve supports neither Echo.Listener nor Echo.ListenerNetwork; use Use, or New(e).Serve(l)")

// New returns a Server for e that uses e.Server. As when echo starts it, the Handler of e.Server
// becomes e, and its ErrorLog becomes e.StdLogger. The address is e.Server.Addr, unless an option
// sets another; if that is empty, [recycling.New] says how it is chosen. Connections that are
// refused because the server is full get the response of echo's own error handler, unless an option
// sets Server.Shed.
func New(e *echo.Echo, options ...recycling.Option) *recycling.Server {
	return newServer(e, false, options)
}

// newServer is New. If secure is set, it prints that the server speaks TLS.
func newServer(e *echo.Echo, secure bool, options []recycling.Option) *recycling.Server {
	e.Server.Handler = e
	e.Server.ErrorLog = e.StdLogger
	adopt := func(s *recycling.Server) { s.HTTP = e.Server }
	s := recycling.New(e, append([]recycling.Option{adopt, shed}, options...)...)
	observeRoutes(s, e)

	base := s.HTTP.BaseContext
	s.HTTP.BaseContext = func(l net.Listener) context.Context {
		announce(e, l.Addr(), secure)
		if base == nil {
			return context.Background()
		}
		return base(l)
	}
	return s
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

// Serve serves e until SIGINT or SIGTERM, and then drains; see [recycling.Server.Run].
func Serve(e *echo.Echo, options ...recycling.Option) error {
	if hasListener(e) {
		return ErrListener
	}
	return New(e, options...).Run(context.Background(), nil)
}

// ServeTLS is Serve with TLS, and with HTTP/2 for clients that support it; see
// [recycling.Server.ServeTLS]. The settings are those of e.Server, not e.TLSServer, and the address
// is chosen as for Serve: by default it is ":8080", not ":https".
func ServeTLS(e *echo.Echo, certFile, keyFile string, options ...recycling.Option) error {
	if hasListener(e) {
		return ErrListener
	}
	s := newServer(e, true, options)
	return s.Run(context.Background(), func() error { return s.ListenAndServeTLS(certFile, keyFile) })
}

// hasListener reports whether e is set to be served on something other than a TCP address.
func hasListener(e *echo.Echo) bool {
	return e.Listener != nil || e.ListenerNetwork != "" && e.ListenerNetwork != "tcp"
}

// announce prints what echo prints when it starts. The banner and the colours are private to echo,
// which prints them just before it calls http.Server.Serve. So announce makes another Echo start a
// server that is already closed. A copy of the banner would become outdated, and a private mutex
// guards e's own Listener field.
func announce(e *echo.Echo, addr net.Addr, secure bool) {
	herald := echo.New()
	herald.HideBanner, herald.HidePort, herald.Debug = e.HideBanner, e.HidePort, e.Debug
	herald.Logger = e.Logger
	herald.Listener, herald.TLSListener = address{addr}, address{addr}
	closed := new(http.Server)
	if secure {
		closed.TLSConfig = new(tls.Config)
	}
	closed.Close()
	herald.StartServer(closed)
}

// An address is a listener that only provides its address.
type address struct{ addr net.Addr }

func (a address) Addr() net.Addr            { return a.addr }
func (a address) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (a address) Close() error              { return nil }
