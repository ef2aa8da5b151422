package engine

import (
	"context"
	"errors"
	"net"
	"net/http"
	"reflect"
	"sync"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/listener/proxyproto"
)

// A Host is an http.Server of which the application calls Serve, Shutdown and Close itself. Package
// net/http calls BaseContext with each listener before it accepts anything from it; that is how the
// Host learns of the listener.
type Host struct {
	http  *http.Server
	start func(net.Listener) (*Engine, error)
	base  func(net.Listener) context.Context // the application's BaseContext
	all   bool                               // all listeners, not only those of Engine.Listener
	proxy func() *proxyproto.Policy          // Config.Proxy, once start was called

	mu      sync.Mutex // guards the following
	serving int        // listeners that are being served
	witness *witness   // nil while there are no listeners and no connections
}

// NewHost makes srv a Host, by its BaseContext. If all is set, every listener of srv is served by
// the engine that start returns for them, otherwise only those of Engine.Listener. If start returns
// nil, srv serves the listener as if it were no Host, except that with all set its proxies are
// those that proxy returns, which is called after start.
func NewHost(srv *http.Server, all bool, start func(net.Listener) (*Engine, error), proxy func() *proxyproto.Policy) *Host {
	h := &Host{http: srv, start: start, base: srv.BaseContext, all: all, proxy: proxy}
	srv.BaseContext = h.baseContext
	return h
}

// IsHost reports whether srv is the http.Server of a Host. It is not if its BaseContext was
// replaced.
func IsHost(srv *http.Server) bool {
	return srv.BaseContext != nil && reflect.ValueOf(srv.BaseContext).Pointer() == hostContext
}

// hostContext is the code that the functions which NewHost sets have in common.
var hostContext = reflect.ValueOf(new(Host).baseContext).Pointer()

// IsHosted reports whether l is a listener of [Engine.Listener], or a listener of package tls on
// one.
func IsHosted(l net.Listener) bool {
	if inner, _, ok := unwrapTLS(l); ok {
		l = inner
	}
	_, ok := l.(*hostedListener)
	return ok
}

// MakeHost makes the http.Server of an engine a Host for the listeners of Engine.Listener. It
// returns the engine's Host if there is one already.
func (e *Engine) MakeHost(start func(net.Listener) (*Engine, error)) *Host {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hosting == nil {
		e.hosting = NewHost(e.config.HTTP, false, start, nil)
	}
	return e.hosting
}

// A lazyListener is a listener of an adapter. When it is about to be served, it opens another
// listener by Engine.Listener, to which its Accept delegates.
type lazyListener interface {
	Recycled() (net.Listener, error)
}

// baseContext is the http.Server's BaseContext. It may serve l to the end before it returns. Then
// package net/http finds l closed, and returns the usual error.
func (h *Host) baseContext(l net.Listener) context.Context {
	if isInternal(l) {
		return context.Background()
	}
	if n, ok := l.(*nestedListener); ok {
		return n.ctx
	}
	ctx := baseContext(h.base, l)
	if r, ok := l.(lazyListener); ok {
		opened, err := r.Recycled()
		if err != nil {
			return ctx // its Accept returns the error
		}
		l = opened
	}
	e, err := h.start(l)
	if err != nil {
		if h.all && !errors.Is(err, http.ErrServerClosed) {
			(&http1.Server{HTTP: h.http}).Logf("%v", err)
			l.Close()
		}
		return ctx
	}
	if e == nil {
		h.serveProxied(l, ctx)
		return ctx
	}
	e.takeHooks() // before net/http reads them, which may serve l
	one, _ := e.protocols()
	inner, config, secure := unwrapTLS(l)
	if !secure {
		inner = l
	}
	u, ours := inner.(*hostedListener)
	switch {
	case ours && u.engine != e:
	case ours && !one:
		u.join(h, nil, ctx, nil)
	case ours:
		switch w := h.enter(e); {
		case w == nil:
			u.Close() // as the http.Server does or has done
		case !u.join(h, w, ctx, park.LiveTLSConfig(config)):
			h.left(e)
		}
	case h.all && one:
		h.serve(e, l, ctx)
	default:
		h.serveProxied(l, ctx)
	}
	return ctx
}

// A nestedListener is a listener that the http.Server serves inside a call of its BaseContext,
// while it also serves the listener below it.
type nestedListener struct {
	net.Listener
	ctx context.Context
}

// Close does nothing. The http.Server closes the listener below too, and returns an error if that
// was closed before.
func (*nestedListener) Close() error { return nil }

// serveProxied has the http.Server serve l by itself, if some of its peers are proxies: package
// net/http, which has called BaseContext, does not let that replace the listener. When serveProxied
// returns, package net/http finds l closed. Otherwise serveProxied does nothing.
func (h *Host) serveProxied(l net.Listener, ctx context.Context) {
	if !h.all {
		return
	}
	proxied := Proxied(l, h.proxy())
	if proxied == l {
		return
	}
	defer l.Close()
	if err := h.http.Serve(&nestedListener{proxied, ctx}); !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
		(&http1.Server{HTTP: h.http}).Logf("recycling: %v", err)
	}
}

// serve serves l until the application closes it, or shuts down or closes the http.Server.
func (h *Host) serve(e *Engine, l net.Listener, ctx context.Context) {
	w := h.enter(e)
	if w == nil {
		return
	}
	defer w.settle()
	defer h.left(e)
	if err := e.accept(l, serveConfig{base: ctx}); !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
		e.http.Logf("recycling: %v", err)
	}
}

// enter counts a listener that is about to be served, and returns the http.Server's witness. It
// returns nil if the http.Server was shut down or closed.
func (h *Host) enter(e *Engine) *witness {
	h.mu.Lock()
	e.host.Store(h)
	if h.witness == nil {
		h.witness = newWitness(e)
		go h.witness.attend()
	}
	w := h.witness
	h.serving++
	h.mu.Unlock()
	if w.ready() {
		return w
	}
	h.left(e)
	return nil
}

// left is called when a listener has ended, or is not served after all.
func (h *Host) left(e *Engine) {
	h.mu.Lock()
	h.serving--
	h.mu.Unlock()
	h.quiet(e)
}

// quiet ends the witness if there is nothing to shut down: no listener and no connection. A
// listener that is served later gets a new witness.
func (h *Host) quiet(e *Engine) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.witness == nil || h.serving > 0 || e.refs.Load() > 0 || e.stopped() {
		return
	}
	h.witness.retire()
	h.witness = nil
}
