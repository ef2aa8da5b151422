// Package recyclinggin serves a gin engine on recycled workers. An application changes only its
// last line:
//
//	recyclinggin.Serve(engine) // was: engine.Run()
//
// [Serve] takes options, and [Run] addresses, as engine.Run does.
// [Run], [RunTLS], [RunUnix], [RunFd] and [RunListener] replace the methods of the same names and
// print the same in debug mode. Unlike the methods, they return nil after SIGINT or SIGTERM, when
// every request in flight has been answered. A second signal ends the process. RunQUIC has no
// counterpart, because there is nothing to recycle.
//
// An application that has its own [http.Server] passes it to [recycling.Use], and does not need
// this package.
package recyclinggin

import (
	"context"
	"net"

	"github.com/gin-gonic/gin"

	recycling "github.com/recycling-go/recycling/core"
)

// New returns a Server for engine. It serves engine.Handler() rather than the engine itself, with
// which UseH2C would have no effect. [recycling.New] says how the address is chosen; gin chooses it
// in the same way: from PORT, or ":8080".
func New(engine *gin.Engine, options ...recycling.Option) *recycling.Server {
	return recycling.New(engine.Handler(), options...)
}

// Serve is [Run] with options; the option [recycling.Addr] sets the address.
func Serve(engine *gin.Engine, options ...recycling.Option) (err error) {
	defer func() { debugPrintError(err) }()
	warnOfProxies(engine)
	s := New(engine, options...)
	debugPrint("Listening and serving HTTP on %s\n", s.HTTP.Addr)
	return s.Run(context.Background(), nil)
}

// ServeTLS is Serve with TLS, and with HTTP/2 for clients that support it; see
// [recycling.Server.ServeTLS]. The address is chosen as for Serve: by default it is ":8080", not
// ":https".
func ServeTLS(engine *gin.Engine, certFile, keyFile string, options ...recycling.Option) (err error) {
	defer func() { debugPrintError(err) }()
	warnOfProxies(engine)
	s := New(engine, options...)
	debugPrint("Listening and serving HTTPS on %s\n", s.HTTP.Addr)
	return s.Run(context.Background(), func() error { return s.ListenAndServeTLS(certFile, keyFile) })
}

// Listener returns a listener for an application that keeps its engine.RunListener:
//
//	l, err := recyclinggin.Listener(engine, l)
//	...
//	err = engine.RunListener(l)
//
// As in RunListener, the http.Server has no settings, unless options set them. Gin never stops a
// server, but closing the listener does: RunListener then returns when every request in flight has
// been answered. UseH2C must be set before Listener is called. See [recycling.Server.Listener].
func Listener(engine *gin.Engine, l net.Listener, options ...recycling.Option) (net.Listener, error) {
	return New(engine, options...).Listener(l)
}
