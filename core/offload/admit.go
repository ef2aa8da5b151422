package offload

import (
	"context"
	"net/http"
)

// Admit waits for a worker, which the caller then owns until it calls release. The caller must call
// release when its work is done, even if it panics, and so should defer the call. Further calls of
// release do nothing. Any goroutine may call release. The returned context is ctx, or, if there is
// a [Config.Timeout], a context that also ends after that time and when release is called.
//
// The error is a [*ShedError], or ctx's own if ctx ends before a worker is free, in which case the
// call leaves the queue. On error, release is nil.
//
// For a request use [Pool.AdmitRequest], and for a function use [Do].
func (p *Pool) Admit(ctx context.Context) (admitted context.Context, release func(), err error) {
	parent, cancel := ctx, context.CancelFunc(func() {})
	if p.c.Timeout > 0 {
		ctx, cancel = context.WithTimeout(parent, p.c.Timeout)
	}
	c := &call{slots: request(p.needs), wake: make(chan struct{}, 1)}
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
		p.finish(c, nil)
	}, nil
}

// AdmitRequest is Admit for a request. The middleware for frameworks is built on it. admitted is r,
// or, if there is a [Config.Timeout], a copy of r with that context. release must be called when
// the handler has returned or panicked: it also gives r the multipart form that was parsed for the
// copy, because the server removes the files of r's form.
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

// Middleware returns a handler that calls next when a worker is free, and otherwise responds with
// 503 and Retry-After, or as [Config.ErrorHandler] does. It is middleware for net/http, and for
// routers like chi. A panic of next propagates as it would without the middleware.
//
// A handler that takes over its connection keeps the worker until it returns.
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

// unavailable responds to a request that was not admitted. If the request's context has ended there
// is usually no client left to read the response, but a deadline may be the server's own.
func unavailable(w http.ResponseWriter, _ *http.Request, _ error) {
	http.Error(w, "503 Service Unavailable", http.StatusServiceUnavailable)
}
