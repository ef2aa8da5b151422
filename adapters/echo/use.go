package recyclingecho

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	recycling "github.com/recycling-go/recycling/core"
)

// ErrServer is returned by the methods that start an [echo.Echo] if it has to start another http.Server than the one that
// its listener was made for.
var ErrServer = errors.New("recyclingecho: this http.Server is unknown: " +
	"call UseServer(e, s) before e.StartServer(s), and Use(e) before any other start")

// Use makes e serve on recycled workers while it is started and stopped as before: by Start, StartTLS, StartAutoTLS
// or StartH2CServer, and Shutdown or Close. [UseServer] is for StartServer.
//
//	recyclingecho.Use(e)
//	e.Logger.Fatal(e.Start(":8080"))
//
// What was set on e.Server and e.TLSServer holds, and so does e.ListenerNetwork. Options may set any other field of
// the [recycling.Server], of which there is one for each of the two. What is refused for want of room is answered by
// e.HTTPErrorHandler. Errors, those of settings
// included, are returned by the method that starts e.
//
// Use replaces e.Listener and e.TLSListener. One that was set before is what will be served; else the socket is opened
// when e is started, and e.ListenerAddr returns nil until then. If the address cannot be had, echo says
// that it was started on <nil>, unless e.HidePort is set, before it returns the error.
//
// What Shutdown and Close do differently is said at [recycling.Server.Listener]. Above all, it is Server.DrainTimeout that
// ends a Shutdown that takes too long, and not the context.
func Use(e *echo.Echo, options ...recycling.Option) {
	e.Listener = newLazy(e, e.Server, e.Listener, false, options)
	e.TLSListener = newLazy(e, e.TLSServer, e.TLSListener, true, options)
}

// UseServer is Use for e.StartServer(s). It replaces e.TLSListener if s has a TLSConfig, else e.Listener: if e
// is started by another method too, call Use before UseServer.
func UseServer(e *echo.Echo, s *http.Server, options ...recycling.Option) {
	if s.TLSConfig != nil {
		e.TLSListener = newLazy(e, s, e.TLSListener, true, options)
	} else {
		e.Listener = newLazy(e, s, e.Listener, false, options)
	}
}
