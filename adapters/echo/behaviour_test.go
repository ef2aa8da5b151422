package recyclingecho_test

import (
	"maps"
	"net/http"
	"os"
	"testing"

	"github.com/labstack/echo/v4"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest"
)

// except lists the behaviours that echo prevents.
var except = map[string]string{
	"closeNotifierFiresWhenTheClientGoesAway":               "an echo.Response is no http.CloseNotifier",
	"closeNotifierIsSilentOtherwise":                        "an echo.Response is no http.CloseNotifier",
	"closeNotifyAfterTheHandlerPanics":                      "an echo.Response is no http.CloseNotifier",
	"connectionIsReusedAfterAnyUseOfMaxBytesReader":         "http.MaxBytesReader does not look behind an echo.Response",
	"controllerReportsAFailedFlush":                         "an echo.Response does not say how flushing fails",
	"expectantClientsAreAnsweredAsByNetHTTP/continue,_none": "an echo.Response takes an informational status for the final one",
	"firstStatusWins":                                       "echo logs the second status itself",
	"informationalResponsesMayBeMany":                       "an echo.Response takes an informational status for the final one",
	"keptRequestKeepsItsValues":                             "echo recycles the echo.Response",
	"maxBytesHandlerLimitsForms":                            "http.MaxBytesReader does not look behind an echo.Response",
	"maxBytesReaderEndsTheConnection":                       "http.MaxBytesReader does not look behind an echo.Response",
	"maxBytesReaderEndsTheConnectionAfterWriteHeader":       "http.MaxBytesReader does not look behind an echo.Response",
	"responseWriterIsAReaderFrom":                           "an echo.Response is no io.ReaderFrom",
	"superfluousStatusIsLoggedWithItsCaller":                "echo logs the second status itself",
	"useAfterHijackIsLoggedWithItsCaller":                   "it is echo that calls the ResponseWriter, in the name of the handler",
	"writeStringWrites":                                     "an echo.Response is no io.StringWriter",
}

// TestBehaviour compares a router under each strategy with net/http.
func TestBehaviour(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		t.Parallel()
		except := maps.Clone(except)
		if strategy != recycling.Goroutine {
			except["everyResponseIsThatOfNetHTTP/length_bad"] = "net/http answers HEAD with a Content-Length that is no number"
		}
		target := recyclingtest.Target{
			Name:         "behind the router",
			Strict:       strategy != recycling.Goroutine,
			NoLateWrites: true, // echo recycles the echo.Response
			Except:       except,
			Start: func(t testing.TB, srv *http.Server) *recyclingtest.Instance {
				s := recyclingecho.New(mount(srv), func(s *recycling.Server) { s.Strategy = strategy })
				return recyclingtest.Serve(s, recyclingtest.Loopback(t))
			},
		}
		recyclingtest.Run(t, target)

		if strategy == recycling.Goroutine {
			return // Use does nothing then
		}
		target.Name = "unchanged Start"
		target.Except = maps.Clone(except)
		target.Except["closeDuringShutdownEndsIt"] = "echo's Close waits for its Shutdown"
		target.Except["closeEndsSilentConnections"] = "the kernel keeps them until they send something, and takes seconds to close them"
		target.Start = func(t testing.TB, srv *http.Server) *recyclingtest.Instance {
			e := mount(srv)
			recyclingecho.Use(e, func(s *recycling.Server) { s.Strategy = strategy })
			served := make(chan error, 1)
			go func() { served <- e.Start("127.0.0.1:0") }()
			return &recyclingtest.Instance{Addr: started(t, e.ListenerAddr), Shutdown: e.Shutdown, Close: e.Close, Served: served}
		}
		recyclingtest.Run(t, target)
	})
}

// mount returns an Echo that passes all requests to srv's handler, and is served with the settings
// of srv.
func mount(srv *http.Server) *echo.Echo {
	h := srv.Handler
	if h == nil {
		h = http.DefaultServeMux
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Server, e.StdLogger = srv, srv.ErrorLog
	// This is not a route, because no route matches "*" or an empty path.
	e.Use(func(echo.HandlerFunc) echo.HandlerFunc { return echo.WrapHandler(h) })
	return e
}

// eachStrategy runs f under every strategy, or under the one that the environment names.
func eachStrategy(t *testing.T, f func(*testing.T, recycling.Strategy)) {
	strategies := []recycling.Strategy{recycling.Goroutine, recycling.Recycling, recycling.Fixed}
	if name := os.Getenv(recycling.EnvStrategy); name != "" {
		strategies = []recycling.Strategy{recycling.Strategy(name)}
	}
	for _, strategy := range strategies {
		t.Run(string(strategy), func(t *testing.T) { f(t, strategy) })
	}
}
