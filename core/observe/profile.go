package observe

import (
	"context"
	"net/http"
	"runtime/pprof"
)

// ProfileRoutes returns a handler that calls mux, and labels what its handlers do with the pattern
// of their route, as WithProfileLabels does. It looks up each route twice.
func ProfileRoutes(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		WithProfileLabels(r.Context(), r.Method, pattern, func(ctx context.Context) {
			mux.ServeHTTP(w, r.WithContext(ctx))
		})
	})
}

// WithProfileLabels calls f with the profiler labels "route" and "method", so that a profile of the
// processor or of goroutines shows which routes they belong to:
//
//	go tool pprof -tagfocus route=/users/{id} http://localhost:6060/debug/pprof/profile
//
// The goroutines that f starts have the labels too. Labels take allocations for each request, so
// nothing sets them unless the application asks for it: middleware named ProfileRoutes in the
// adapters for chi, echo and gin calls WithProfileLabels.
func WithProfileLabels(ctx context.Context, method, pattern string, f func(context.Context)) {
	pprof.Do(ctx, pprof.Labels("route", pattern, "method", knownMethod(method)), f)
}
