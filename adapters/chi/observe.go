package recyclingchi

import (
	"cmp"
	"context"
	"net/http"
	"sync"

	"github.com/go-chi/chi/v5"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// ObserveRoutes is a middleware that tells the Observer of the Server the pattern of the route: see
// [observe.SetRoute]. An application that calls [New], [Serve] or [ServeTLS] does not need it. With
// [recycling.Use], it belongs before all other middleware of the router:
//
//	r.Use(recyclingchi.ObserveRoutes)
func ObserveRoutes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer setRoute(r)
		next.ServeHTTP(w, r)
	})
}

func setRoute(r *http.Request) {
	if c := chi.RouteContext(r.Context()); c != nil {
		observe.SetRoute(r.Context(), c.RoutePattern())
	}
}

// observeRoutes makes s observe the routes of r, if it has an Observer. Middleware cannot be added
// to a router that has routes.
func observeRoutes(s *recycling.Server, r chi.Router) {
	if m, ok := r.(*chi.Mux); ok && s.Observer != nil && s.HTTP.Handler == http.Handler(m) {
		s.HTTP.Handler = &routed{mux: m}
	}
}

// A routed is a router that is served with a chi.Context that it gets from here, rather than from
// the router's own pool, so that the pattern can be read afterwards.
type routed struct {
	mux  *chi.Mux
	pool sync.Pool // of *chi.Context
}

func (h *routed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, _ := h.pool.Get().(*chi.Context)
	if c == nil {
		c = chi.NewRouteContext()
	}
	c.Reset()
	c.Routes = h.mux
	r = r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, c))
	returned := false
	defer func() {
		setRoute(r)
		if returned { // like chi
			h.pool.Put(c)
		}
	}()
	h.mux.ServeHTTP(w, r)
	returned = true
}

// ProfileRoutes is a middleware that labels what handlers do with the pattern of their route: see
// [observe.WithProfileLabels]. It belongs after the middleware that changes the path of requests.
// The route is looked up twice.
func ProfileRoutes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pattern := ""
		if c := chi.RouteContext(r.Context()); c != nil && c.Routes != nil {
			found := chi.NewRouteContext()
			if c.Routes.Match(found, r.Method, cmp.Or(c.RoutePath, r.URL.RawPath, r.URL.Path)) {
				pattern = found.RoutePattern()
			}
		}
		observe.WithProfileLabels(r.Context(), r.Method, pattern, func(ctx context.Context) {
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	})
}
