package offload

import (
	"context"
	"net/http"
)

// Admit waits for a worker, which the caller then has until it calls release; it must do so once its work is done, in
// whichever way, and so defers it. Further calls of release do nothing. Release may be called by any goroutine. The
// context is ctx, or, if there is a [Config.Timeout], one that ends also then and with release.
//
// The error is a [*ShedError], or ctx's own if ctx ends before there is a worker, which takes the call out of the
// queue. Then release is nil.
//
// For a request there is [Pool.AdmitRequest], and for work that is a function there is [Do].
func (p *Pool) Admit(ctx context.Context) (admitted context.Context, release func(), err error) {
	parent, cancel := ctx, context.CancelFunc(func() {})
	if p.c.Timeout > 0 {
		ctx, cancel = context.WithTimeout(parent, p.c.Timeout)
	}
	c := &call{wake: make(chan struct{}, 1)}
	if err := p.enter(parent, c); err != nil {
		cancel()
		return nil, nil, err
	}
	if to := p.await(parent, ctx, c); to != begun {
		cancel()
		return nil, nil, p.failure(parent, to)
	}
	return ctx, func() {
		cancel()
		p.conclude(c)
	}, nil
}

// AdmitRequest is Admit for a request, which the middleware of frameworks is made of. Admitted is r, or, if there is a
// [Config.Timeout], a copy of r with that context. Release must be called when the handler has returned or panicked: it also gives
// r the form that was parsed for the copy, because it is r's whose files the server removes.
func (p *Pool) AdmitRequest(r *http.Request) (admitted *http.Request, release func(), err error) {
	ctx, leave, err := p.Admit(r.Context())
	if err != nil {
		return nil, nil, err
	}
	if p.c.Timeout <= 0 {
		return r, leave, nil
	}
	admitted = r.WithContext(ctx)
	return admitted, func() {
		if f := admitted.MultipartForm; f != nil {
			r.MultipartForm = f
		}
		leave()
	}, nil
}

// Middleware returns a handler that calls next when there is a worker for it, and otherwise answers with 503 and
// Retry-After, or as [Config.ErrorHandler] does. It is middleware for net/http, and for routers like chi. What
// next panics with goes where it would go without it.
//
// A handler that takes over its connection has the worker until it returns.
func (p *Pool) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admitted, release, err := p.AdmitRequest(r)
		if err != nil {
			if after := RetryAfter(err); after != "" {
				w.Header().Set("Retry-After", after)
			}
			p.c.ErrorHandler(w, r, err)
			return
		}
		defer release()
		next.ServeHTTP(w, admitted)
	})
}

// unavailable is the answer to a request that was not admitted. If its context has ended there is
// mostly nobody to read it, but a deadline may be the server's own.
func unavailable(w http.ResponseWriter, _ *http.Request, _ error) {
	http.Error(w, "503 Service Unavailable", http.StatusServiceUnavailable)
}
