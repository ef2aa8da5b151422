package observe

import (
	"context"
	"net/http"
	"runtime/pprof"
)

// ProfileRoutes returns a handler that calls mux with the profiler labels that WithProfileLabels
// sets. It looks up each route twice.
func ProfileRoutes(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pattern := mux.Handler(r)
		WithProfileLabels(r.Context(), r.Method, pattern, func(ctx context.Context) {
			mux.ServeHTTP(w, r.WithContext(ctx))
		})
	})
}

// WithProfileLabels calls f with the profiler labels "route" and "method", so that a profile of the
// processor or of goroutines can be divided by route:
//
//	go tool pprof -tagfocus route=/users/{id} http://localhost:6060/debug/pprof/profile
//
// The goroutines that f starts have the labels too. Labels cost allocations for each request, so
// they are only set if the application asks for it: ProfileRoutes, and the middleware of that name
// in the adapters for chi, echo and gin, call WithProfileLabels.
func WithProfileLabels(ctx context.Context, method, pattern string, f func(context.Context)) {
	pprof.Do(ctx, pprof.Labels("route", pattern, "method", knownMethod(method)), f)
}
