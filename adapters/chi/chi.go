// Package recyclingchi serves a chi router on recycled workers. The whole change to an
// application is its last line:
//
//	recyclingchi.Serve(r) // was: http.ListenAndServe(":8080", r)
//
// A chi router is a plain [net/http.Handler], so nothing here is needed for it: the package
// exists to read the same in applications of all three frameworks.
package recyclingchi

import (
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
