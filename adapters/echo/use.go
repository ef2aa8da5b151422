package recyclingecho

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	recycling "github.com/recycling-go/recycling/core"
)

// ErrServer is returned by the methods that start an [echo.Echo] if the http.Server that they start
// is not the one that the listener was made for.
var ErrServer = errors.New("recyclingecho: unknown http.Server: " +
	"call UseServer(e, s) before e.StartServer(s), and Use(e) before any other start")

// Use makes e serve on recycled workers. The application starts and stops e as before: with Start,
// StartTLS, StartAutoTLS or StartH2CServer, and with Shutdown or Close. [UseServer] is for
// StartServer.
//
//	recyclingecho.Use(e)
//	e.Logger.Fatal(e.Start(":8080"))
//
// The settings of e.Server and e.TLSServer apply, and so does e.ListenerNetwork. Each of the two
// servers gets a [recycling.Server], of which options may set any other field. Connections that are
// refused because the server is full get the response of echo's own error handler, unless an option
// sets Server.Shed. The method that starts e returns all errors, also for invalid settings.
//
// Use calls [recycling.Use] for e.Server and e.TLSServer, and replaces e.Listener and
// e.TLSListener. If one of these was set before, it is the listener that is served. Otherwise the
// socket is opened when e is started, and e.ListenerAddr returns nil until then. The application
// may set another listener after Use, which is served too; [recycling.Use] says whether its
// connections park. If listening on the address fails, echo prints that it started on <nil>, unless
// e.HidePort is set, before it returns the error.
//
// Shutdown and Close work as they do without Use; [recycling.Use] lists what is different. A
// listener that was set before must have one of the types named there; otherwise a worker waits on
// each of its connections. Use must be called before e is started.
func Use(e *echo.Echo, options ...recycling.Option) {
	l := newLazy(e, e.Server, e.Listener, false, options)
	e.Listener = l
	e.TLSListener = newLazy(e, e.TLSServer, e.TLSListener, true, options)
	observeRoutes(l.server, e)
}

// UseServer is Use for e.StartServer(s). It replaces e.TLSListener if s has a TLSConfig, and
// e.Listener otherwise. If another method also starts e, call Use before UseServer.
func UseServer(e *echo.Echo, s *http.Server, options ...recycling.Option) {
	var l *lazy
	if s.TLSConfig != nil {
		l = newLazy(e, s, e.TLSListener, true, options)
		e.TLSListener = l
	} else {
		l = newLazy(e, s, e.Listener, false, options)
		e.Listener = l
	}
	observeRoutes(l.server, e)
}
