package recyclingchi_test

import (
	"maps"
	"net/http"
	"os"
	"testing"

	"github.com/go-chi/chi/v5"

	recyclingchi "github.com/recycling-go/recycling/adapters/chi"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest"
)

// except lists the behaviours that chi prevents.
var except = map[string]string{
	"undeclaredRequestTrailersArriveToo": copied,
	"multipartTempFilesAreRemoved":       copied,
}

const copied = "chi hands on a copy of the request: trailers that arrive later, and the parsed form, are in one of the two only"

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
			except["connectionIsReusedAfterAnyUseOfMaxBytesReader"] = "the server looks for the reader in its own request, and chi hands on a copy"
		}
		recyclingtest.Run(t, recyclingtest.Target{
			Name:         "behind the router",
			Strict:       strategy != recycling.Goroutine,
			NoLateWrites: strategy == recycling.Goroutine,
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
	r := chi.NewRouter()
	r.Handle("/*", h)
	r.NotFound(h.ServeHTTP)
	r.MethodNotAllowed(h.ServeHTTP)
	srv.Handler = r
	return recyclingchi.New(r, func(s *recycling.Server) { s.HTTP, s.Strategy = srv, strategy })
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
