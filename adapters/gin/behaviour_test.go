package recyclinggin_test

import (
	"maps"
	"net/http"
	"os"
	"testing"

	"github.com/gin-gonic/gin"

	recyclinggin "github.com/recycling-go/recycling/adapters/gin"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest"
)

// except lists the behaviours that gin prevents.
var except = map[string]string{
	"continueIsNotSentAfterTheStatus/WriteHeader":           late,
	"expectantClientsAreAnsweredAsByNetHTTP/continue":       late,
	"expectantClientsAreAnsweredAsByNetHTTP/continue,_none": late,
	"expectantClientsAreAnsweredAsByNetHTTP/early_hints":    late,
	"expectantClientsAreAnsweredAsByNetHTTP/full_duplex":    late,
	"expectantClientsAreAnsweredAsByNetHTTP/status":         late,
	"connectIsAcceptedAsByNetHTTP/hijacked":                 late,
	"continueIsSentAfterEarlyHints":                         late,
	"continueOfTheHandlerReplacesOurs":                      late,
	"earlyHintsAreSentAtOnce":                               late,
	"everyResponseIsThatOfNetHTTP/read_after":               late,
	"connectionIsReusedAfterAnyUseOfMaxBytesReader":         "http.MaxBytesReader does not look behind gin's writer",
	"controllerReportsAFailedFlush":                         "gin's writer does not say how flushing fails",
	"superfluousStatusIsLoggedWithItsCaller":                late,
	"useAfterHijackIsLoggedWithItsCaller":                   late,
	"firstStatusWins":                                       late,
	"headerIsASnapshotOfWriteHeader":                        late,
	"informationalHeadersAreKeptForTheResponse":             late,
	"informationalResponsesAreSeenByTheClient":              late,
	"informationalResponsesMayBeMany":                       late,
	"invalidStatusCodePanics":                               late,
	"proxyForwardsInformationalResponses":                   late,
	"switchingProtocolsIsFinal":                             late,
	"writeAfterHijackFails":                                 late,
	"hijackSendsWhatWasFlushed":                             "gin refuses to hijack after the body has begun",
	"keptRequestKeepsItsValues":                             "gin recycles its writer",
	"maxBytesHandlerLimitsForms":                            "http.MaxBytesReader does not look behind gin's writer",
	"maxBytesReaderEndsTheConnection":                       "http.MaxBytesReader does not look behind gin's writer",
	"maxBytesReaderEndsTheConnectionAfterWriteHeader":       late,
	"responseWriterIsAReaderFrom":                           "gin's writer is no io.ReaderFrom",
}

const late = "gin keeps the last status, and sends it with the first byte of the body"

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
		recyclingtest.Run(t, recyclingtest.Target{
			Name:         "behind the router",
			Strict:       strategy != recycling.Goroutine,
			NoLateWrites: true, // gin recycles its writer
			Except:       except,
			Start: func(t testing.TB, srv *http.Server) *recyclingtest.Instance {
				return recyclingtest.Serve(mount(srv, strategy), recyclingtest.Loopback(t))
			},
		})
	})
}

// mount returns a Server with the settings of srv and a router that passes all requests to srv's
// handler.
func mount(srv *http.Server, strategy recycling.Strategy) *recycling.Server {
	h := srv.Handler
	if h == nil {
		h = http.DefaultServeMux
	}
	engine := gin.New()
	engine.RedirectTrailingSlash = false
	engine.Any("/*path", gin.WrapH(h))
	// These requests match no route: other methods, "*", an empty path. For them gin has already
	// set the status 404, so the first handler resets it.
	engine.NoRoute(func(c *gin.Context) { c.Status(http.StatusOK) }, gin.WrapH(h))
	srv.Handler = engine.Handler()
	return recyclinggin.New(engine, func(s *recycling.Server) { s.HTTP, s.Strategy = srv, strategy })
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
