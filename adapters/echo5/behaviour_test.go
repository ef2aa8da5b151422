package recyclingecho_test

import (
	"context"
	"maps"
	"net/http"
	"reflect"
	"testing"

	"github.com/labstack/echo/v5"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo5"
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
				s := recyclingecho.New(mount(srv.Handler), with(strategy), func(s *recycling.Server) {
					srv.Handler = s.HTTP.Handler
					s.HTTP = srv
				})
				return recyclingtest.Serve(s, recyclingtest.Loopback(t))
			},
		}
		recyclingtest.Run(t, target)

		if strategy == recycling.Goroutine {
			return // Use does nothing then
		}
		target.Name = "Use"
		target.Except = maps.Clone(except)
		const own = "echo has an http.Server of its own"
		target.Except["contextHasTheServer"] = own
		target.Except["connContextHasTheServerToo"] = own
		target.Start = func(t testing.TB, srv *http.Server) *recyclingtest.Instance {
			sc := loopback()
			sc.Listener = recyclingtest.Loopback(t)
			sc.GracefulTimeout = -1 // the suite shuts down
			sc.BeforeServeFunc = func(s *http.Server) error {
				settle(s, srv)
				return nil
			}
			a := start(t, sc, mount(srv.Handler), with(strategy))
			served := make(chan error, 1)
			go func() {
				err := <-a.served
				if err == nil {
					err = http.ErrServerClosed // echo does not return it
				}
				served <- err
			}()
			return &recyclingtest.Instance{Addr: a.addr, Shutdown: a.srv.Shutdown, Close: a.srv.Close, Served: served}
		}
		recyclingtest.Run(t, target)
	})
}

// mount returns an Echo that passes all requests to h.
func mount(h http.Handler) *echo.Echo {
	if h == nil {
		h = http.DefaultServeMux
	}
	e := echo.New()
	// This is not a route, because no route matches "*" or an empty path.
	e.Use(func(echo.HandlerFunc) echo.HandlerFunc { return echo.WrapHandler(h) })
	return e
}

// settle copies all settings of from, except its Handler, to s.
func settle(s, from *http.Server) {
	to, v := reflect.ValueOf(s).Elem(), reflect.ValueOf(from).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && f.Name != "Handler" {
			to.Field(i).Set(v.Field(i))
		}
	}
	// This calls the functions that from has.
	s.RegisterOnShutdown(func() { from.Shutdown(context.Background()) })
}
