// Package recyclinggin serves a gin engine on recycled workers. The whole change to an
// application is its last line:
//
//	recyclinggin.Serve(engine) // was: engine.Run()
//
// Of what gin's own Run prints, only the warning that all proxies are trusted is missing:
// gin keeps to itself whether they are. See [gin.Engine.SetTrustedProxies].
package recyclinggin

import (
	"fmt"

	"github.com/gin-gonic/gin"

	recycling "github.com/recycling-go/recycling/core"
)

// New returns a Server for engine. It serves engine.Handler(), not the engine itself,
// which would lose UseH2C. Its address is found as [recycling.New] says, which
// is how gin finds it: PORT, or else ":8080".
func New(engine *gin.Engine, options ...recycling.Option) *recycling.Server {
	return recycling.New(engine.Handler(), options...)
}

// Serve serves engine until SIGINT or SIGTERM, and then drains; see [recycling.Server.Run].
// In debug mode it prints the address and the error as gin's Run does.
func Serve(engine *gin.Engine, options ...recycling.Option) error {
	s := New(engine, options...)
	debugPrint("Listening and serving HTTP on %s\n", s.HTTP.Addr)
	err := s.RunUntilSignal()
	if err != nil && gin.IsDebugging() {
		fmt.Fprintf(gin.DefaultErrorWriter, "[GIN-debug] [ERROR] %v\n", err)
	}
	return err
}

// debugPrint prints to where gin prints what it has to say in debug mode.
func debugPrint(format string, values ...any) {
	switch {
	case !gin.IsDebugging():
	case gin.DebugPrintFunc != nil:
		gin.DebugPrintFunc(format, values...)
	default:
		fmt.Fprintf(gin.DefaultWriter, "[GIN-debug] "+format, values...)
	}
}
