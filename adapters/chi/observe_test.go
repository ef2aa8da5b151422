package recyclingchi_test

import (
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"testing"

	"github.com/go-chi/chi/v5"

	recyclingchi "github.com/recycling-go/recycling/adapters/chi"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// routes returns the routes that rec knows.
func routes(rec *observe.Recorder) map[string]uint64 {
	all := map[string]uint64{}
	for _, r := range rec.Routes() {
		all[r.Route] += r.Duration.Count
	}
	return all
}

func addRoutes(r chi.Router) {
	r.Get("/users/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-ID", chi.URLParam(r, "id"))
	})
	r.Route("/sub", func(r chi.Router) {
		r.Get("/{x}/panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	})
}

// request serves a GET request for path, and returns a header field of the response.
func request(h http.Handler, path string) string {
	defer func() { recover() }()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Header().Get("X-ID")
}

func testRoutes(t *testing.T, h http.Handler, rec *observe.Recorder) {
	for range 3 { // the contexts are reused
		if id := request(h, "/users/7"); id != "7" {
			t.Errorf("the handler got id %q, want 7", id)
		}
	}
	request(h, "/sub/y/panic")
	request(h, "/nowhere")
	got := routes(rec)
	if len(got) != 3 || got["/users/{id}"] != 3 || got["/sub/{x}/panic"] != 1 || got[""] != 1 {
		t.Errorf("got %v", got)
	}
}

func TestObserverLearnsTheRoutes(t *testing.T) {
	r, rec := chi.NewRouter(), observe.NewRecorder()
	addRoutes(r)
	s := recyclingchi.New(r, func(s *recycling.Server) { s.Observer = rec })
	testRoutes(t, observe.Handler(rec, s.HTTP.Handler), rec)
}

func TestMiddlewareTellsTheRoutes(t *testing.T) {
	r, rec := chi.NewRouter(), observe.NewRecorder()
	r.Use(recyclingchi.ObserveRoutes)
	addRoutes(r)
	testRoutes(t, observe.Handler(rec, r), rec)
}

func TestProfileRoutes(t *testing.T) {
	r := chi.NewRouter()
	r.Use(recyclingchi.ProfileRoutes)
	var route string
	r.Route("/sub", func(r chi.Router) {
		r.Get("/{x}/end", func(_ http.ResponseWriter, r *http.Request) { route, _ = pprof.Label(r.Context(), "route") })
	})
	request(r, "/sub/y/end")
	if route != "/sub/{x}/end" {
		t.Errorf("the label is %q, want the pattern", route)
	}
	request(r, "/nowhere")
}
