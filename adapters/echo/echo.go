// Package recyclingecho serves an echo application on recycled workers. The whole change is one line, before an
// e.Start or the like that stays, as do e.Shutdown and e.Close:
//
//	recyclingecho.Use(e)
//
// An application without a graceful shutdown gets one if another line starts it:
//
//	recyclingecho.Serve(e) // was: e.Start(":8080")
//
// What was set on Echo.Server holds: timeouts, ConnState, BaseContext and the rest. So do
// HideBanner, HidePort, Debug and StdLogger.
package recyclingecho

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"

	recycling "github.com/recycling-go/recycling/core"
)

// ErrListener is returned by [Serve] if Echo.Listener is set, or if Echo.ListenerNetwork is
// not "tcp": Serve opens its own listener. [Use] takes both; so does New(e).Serve(l).
var ErrListener = errors.New("recyclingecho: Serve does not take Echo.Listener or Echo.ListenerNetwork; use Use, or New(e).Serve(l)")

// New returns a Server for e that is made of e.Server. As when echo starts it, its Handler
// becomes e and its ErrorLog e.StdLogger. Its address is e.Server.Addr, unless
// an option sets it; if that is empty, it is found as [recycling.New] says. What is refused for want of room is
// answered by e.HTTPErrorHandler.
func New(e *echo.Echo, options ...recycling.Option) *recycling.Server {
	e.Server.Handler = e
	e.Server.ErrorLog = e.StdLogger
	adopt := func(s *recycling.Server) { s.HTTP, s.Shed = e.Server, shed(e) }
	s := recycling.New(e, append([]recycling.Option{adopt}, options...)...)

	base := s.HTTP.BaseContext
	s.HTTP.BaseContext = func(l net.Listener) context.Context {
		announce(e, l.Addr())
		if base == nil {
			return context.Background()
		}
		return base(l)
	}
	return s
}

// shed has e's error handler write the answer to what is refused for want of room.
func shed(e *echo.Echo) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.HTTPErrorHandler(echo.ErrServiceUnavailable, e.NewContext(r, w))
	})
}

// Serve serves e until SIGINT or SIGTERM, and then drains; see [recycling.Server.Run].
func Serve(e *echo.Echo, options ...recycling.Option) error {
	if e.Listener != nil || e.ListenerNetwork != "" && e.ListenerNetwork != "tcp" {
		return ErrListener
	}
	return New(e, options...).RunUntilSignal()
}

// announce prints what echo prints when it starts. Banner and colours are private to echo,
// which shows them just before it calls http.Server.Serve: so another Echo is told to start
// a server that is closed already. A copy of the banner would age, and e's own Listener
// field is guarded by a mutex that is private, too.
func announce(e *echo.Echo, addr net.Addr) {
	herald := echo.New()
	herald.HideBanner, herald.HidePort, herald.Debug = e.HideBanner, e.HidePort, e.Debug
	herald.Logger = e.Logger
	herald.Listener = address{addr}
	closed := new(http.Server)
	closed.Close()
	herald.StartServer(closed)
}

// An address is a listener that is only asked for its address.
type address struct{ addr net.Addr }

func (a address) Addr() net.Addr            { return a.addr }
func (a address) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (a address) Close() error              { return nil }
