package observe

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"testing"
)

func TestProfileRoutes(t *testing.T) {
	mux := http.NewServeMux()
	var route, method string
	mux.HandleFunc("/users/{id}", func(_ http.ResponseWriter, r *http.Request) {
		route, _ = pprof.Label(r.Context(), "route")
		method, _ = pprof.Label(r.Context(), "method")
		if r.PathValue("id") != "7" || r.Pattern != "/users/{id}" {
			t.Errorf("id is %q and pattern %q", r.PathValue("id"), r.Pattern)
		}
	})
	r := httptest.NewRequest("INVENTED", "/users/7", nil)
	ProfileRoutes(mux).ServeHTTP(httptest.NewRecorder(), r)
	if route != "/users/{id}" || method != "other" {
		t.Errorf("labels are %q and %q, want the route, and other", route, method)
	}
	if _, ok := pprof.Label(context.Background(), "route"); ok {
		t.Error("labels are left")
	}
	if w := httptest.NewRecorder(); true {
		ProfileRoutes(http.NewServeMux()).ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("status %d, want 404", w.Code)
		}
	}
}
