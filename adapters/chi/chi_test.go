package recyclingchi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"

	recyclingchi "github.com/recycling-go/recycling/adapters/chi"
	recycling "github.com/recycling-go/recycling/core"
)

func TestNewServesTheRouter(t *testing.T) {
	t.Setenv("PORT", "1234")
	r := chi.NewRouter()
	r.Get("/", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "chi") })
	s := recyclingchi.New(r, func(s *recycling.Server) { s.Strategy = recycling.Goroutine })
	if s.HTTP.Addr != ":1234" || s.Strategy != recycling.Goroutine {
		t.Errorf("Addr, Strategy = %q, %q, want :1234, goroutine", s.HTTP.Addr, s.Strategy)
	}
	w := httptest.NewRecorder()
	s.HTTP.Handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Body.String() != "chi" {
		t.Errorf("the handler answers %q, want chi", w.Body)
	}
}

func TestServeReturnsTheErrorOfListening(t *testing.T) {
	if err := recyclingchi.Serve(chi.NewRouter(), recycling.Addr("127.0.0.1:99999")); err == nil {
		t.Error("Serve on a port that cannot be returned nil")
	}
}
