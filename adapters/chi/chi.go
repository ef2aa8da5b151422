// Package recyclingchi serves a chi router on recycled workers. An application changes only its
// last line:
//
//	recyclingchi.Serve(r)               // was: http.ListenAndServe(":8080", r)
//	recyclingchi.ServeTLS(r, cert, key) // was: http.ListenAndServeTLS(":8080", cert, key, r)
//
// A chi router is a plain [net/http.Handler], so package recycling can serve it without this
// package. The package exists so that applications look the same with chi, echo and gin. An
// application that has its own [http.Server] passes it to [recycling.Use], and does not need this
// package.
package recyclingchi

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	recycling "github.com/recycling-go/recycling/core"
)

// New returns a Server for r. [recycling.New] says how its address is chosen. If an option sets the
// Server's Observer, that learns the pattern of each route.
func New(r chi.Router, options ...recycling.Option) *recycling.Server {
	s := recycling.New(r, options...)
	observeRoutes(s, r)
	return s
}

// Serve serves r until SIGINT or SIGTERM, and then drains; see [recycling.Server.Run].
func Serve(r chi.Router, options ...recycling.Option) error {
	return New(r, options...).Run(context.Background(), nil)
}

// ServeTLS is Serve with TLS, and with HTTP/2 for clients that support it; see
// [recycling.Server.ServeTLS]. The address is chosen as for Serve: by default it is ":8080", not
// ":https".
func ServeTLS(r chi.Router, certFile, keyFile string, options ...recycling.Option) error {
	s := New(r, options...)
	return s.Run(context.Background(), func() error { return s.ListenAndServeTLS(certFile, keyFile) })
}

// Pattern returns the pattern of the route that served r, such as "/users/{id}", as a label for
// metrics: there are no more patterns than routes. It returns "none" if no route matched. Call it
// in a middleware of the router, after the next handler; before that, chi does not know the
// pattern.
func Pattern(r *http.Request) string {
	pattern := r.Pattern
	if c := chi.RouteContext(r.Context()); c != nil {
		pattern = c.RoutePattern()
	}
	if pattern == "" {
		return "none"
	}
	return pattern
}
