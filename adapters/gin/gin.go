// Package recyclinggin serves a gin engine on recycled workers. The whole change to an
// application is its last line:
//
//	recyclinggin.Run(engine) // was: engine.Run()
//
// [Run], [RunTLS], [RunUnix], [RunFd] and [RunListener] stand for the methods of those names and print in debug mode what these
// print, but end with SIGINT or SIGTERM: then every request in flight is answered, and they return nil. A second
// signal ends the process. RunQUIC has no counterpart, as there is nothing to recycle.
//
// An application that has an [http.Server] of its own, to shut it down, makes it a [recycling.Server], which
// has the same methods.
package recyclinggin

import (
	"net"

	"github.com/gin-gonic/gin"

	recycling "github.com/recycling-go/recycling/core"
)

// New returns a Server for engine. It serves engine.Handler(), not the engine itself,
// which would lose UseH2C. Its address is found as [recycling.New] says, which
// is how gin finds it: PORT, or else ":8080".
func New(engine *gin.Engine, options ...recycling.Option) *recycling.Server {
	return recycling.New(engine.Handler(), options...)
}

// Serve is [Run] with options, and [recycling.Addr] for the address.
func Serve(engine *gin.Engine, options ...recycling.Option) (err error) {
	defer func() { debugPrintError(err) }()
	warnOfProxies(engine)
	s := New(engine, options...)
	debugPrint("Listening and serving HTTP on %s\n", s.HTTP.Addr)
	return s.RunUntilSignal()
}

// Listener returns a listener for an engine.RunListener that is to stay as it is:
//
//	l, err := recyclinggin.Listener(engine, l)
//	...
//	err = engine.RunListener(l)
//
// Requests are served with the settings that RunListener has: none. Gin never stops a server, but
// closing the listener does: RunListener then returns when every request in flight was answered. UseH2C must be
// set before. See [recycling.Server.Listener].
func Listener(engine *gin.Engine, l net.Listener, options ...recycling.Option) (net.Listener, error) {
	return New(engine, options...).Listener(l)
}
