// Package recyclingchi serves a chi router on recycled workers. The whole change to an
// application is its last line:
//
//	recyclingchi.Serve(r)                      // was: http.ListenAndServe(":8080", r)
//	recyclingchi.ServeTLS(r, certFile, keyFile) // was: http.ListenAndServeTLS(":8080", certFile, keyFile, r)
//
// A chi router is a plain [net/http.Handler], so nothing here is needed for it: the package
// exists to read the same in applications of all three frameworks. An application that has an [http.Server]
// of its own, to shut it down, makes it a [recycling.Server], which has the same methods.
package recyclingchi

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	recycling "github.com/recycling-go/recycling/core"
)

// New returns a Server for r. Its address is found as [recycling.New] says.
func New(r chi.Router, options ...recycling.Option) *recycling.Server {
	return recycling.New(r, options...)
}

// Serve serves r until SIGINT or SIGTERM, and then drains; see [recycling.Server.Run].
func Serve(r chi.Router, options ...recycling.Option) error {
	return New(r, options...).RunUntilSignal()
}

// ServeTLS is Serve with TLS, and HTTP/2 for clients that speak it; see [recycling.Server.ServeTLS]. Its address is found as for
// Serve: without one it is ":8080", not ":https".
func ServeTLS(r chi.Router, certFile, keyFile string, options ...recycling.Option) error {
	s := New(r, options...)
	return s.UntilSignal(func() error { return s.ListenAndServeTLS(certFile, keyFile) })
}

// Pattern returns the pattern of the route that answered r, such as "/users/{id}", as a label for metrics: there are no more
// of them than routes. It is "none" if there was no such route. It is for a middleware of the router, to
// be called after the next handler: before that, chi does not know it.
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
