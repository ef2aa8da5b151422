package engine

import (
	"context"
	"crypto/tls"
	"net"
	"sync"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/listener"
)

// Serve serves l until the end. It closes l, and returns http.ErrServerClosed after Shutdown or
// Close.
func (e *Engine) Serve(l net.Listener) error {
	e.prepared.Do(e.prepare)
	return e.accept(l, serveConfig{})
}

// ServeTLS is Serve over TLS, as ServeTLS of the http.Server would set it up.
func (e *Engine) ServeTLS(l net.Listener, certFile, keyFile string) error {
	config, err := e.tlsConfig(certFile, keyFile)
	if err != nil {
		l.Close()
		return err
	}
	return e.accept(l, serveConfig{tls: config})
}

// A serveConfig says how to serve a listener.
type serveConfig struct {
	tls    *tls.Config     // nil: no TLS
	hosted *hostedListener // gets connections without HTTP/1; nil: the http.Server gets them
	base   context.Context // the result of BaseContext; nil: not called yet
	end    <-chan struct{} // closed when the listener must be closed; nil: never
}

// accept serves the connections of l until the end.
func (e *Engine) accept(l net.Listener, how serveConfig) error {
	shut := sync.OnceFunc(func() { e.closeListener(l) })
	defer shut()
	e.takeHooks()
	e.http.Prepare()
	raw, parks := (*listener.Raw)(nil), false
	if !e.config.KeepWorkers && park.Supported {
		raw, parks = listener.NewRaw(l)
		if inner, config, ok := unwrapTLS(l); ok && how.tls == nil {
			if raw, parks = listener.NewRaw(inner); parks {
				how.tls = park.LiveTLSConfig(config)
			}
		}
	}
	lc := &http1.ListenerConfig{Server: e.http, Delegate: e.delegate, Proxy: e.proxyOf(l)}
	if parks {
		if err := e.useProxyTimeout(lc.Proxy); err != nil {
			return err
		}
	}
	if how.tls != nil && !parks {
		l = tls.NewListener(l, how.tls)
	}
	if how.base == nil { // otherwise a Host has called it
		how.base = baseContext(e.baseContext(), l)
	}
	lc.Context = e.config.Context(how.base)
	if parks {
		lc.TLS = park.TLSConfig(how.tls)
	}
	if how.hosted != nil {
		lc.Delegate = how.hosted.hand
	}
	schedulers, err := e.beginServe(parks)
	if err != nil {
		return err
	}
	defer e.unref()
	defer e.serving.Done()
	e.config.Serving(l)
	if parks {
		return e.acceptRaw(raw, l, shut, schedulers, lc, how.end)
	}
	l = Proxied(l, lc.Proxy)
	return e.acceptEach(l, shut, schedulers, lc, how.end)
}

// closeListener closes l for good.
func (e *Engine) closeListener(l net.Listener) {
	err := l.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping && e.shutErr == nil {
		e.shutErr = err
	}
}

// baseContext returns the application's BaseContext.
func (e *Engine) baseContext() func(net.Listener) context.Context {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hosting != nil {
		return e.hosting.base
	}
	return e.base
}

// baseContext returns what f, the BaseContext of an http.Server, returns for l. If f is nil, it
// returns the background context.
func baseContext(f func(net.Listener) context.Context, l net.Listener) context.Context {
	if f == nil {
		return context.Background()
	}
	ctx := f(l)
	if ctx == nil {
		panic("BaseContext returned a nil context")
	}
	return ctx
}
