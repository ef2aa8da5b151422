package engine

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/observe"
)

// A delegateListener is a listener by which the http.Server gets connections that do not speak
// HTTP/1. These still belong to the engine: they are counted and limited, and closed when it is
// abandoned.
//
// Two alternatives were rejected. Calling the functions of TLSNextProto does not work with every
// version: since Go 1.27 the one for HTTP/2 is a placeholder. Posing as the server of
// golang.org/x/net/http2 would depend on an interface that is not public, and panics if the
// application has such a server itself.
type delegateListener struct {
	chanListener
	over chan struct{} // closed when the http.Server accepts no more
}

// startDelegateListener returns the engine's delegateListener, and has the http.Server serve it if
// it is new. The caller owns a connection, which keeps the engine alive.
func (e *Engine) startDelegateListener() *delegateListener {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.delegateListener == nil {
		e.delegateListener = &delegateListener{chanListener: newChanListener(0), over: make(chan struct{})}
		go e.attend(e.delegateListener)
	}
	return e.delegateListener
}

func (e *Engine) attend(l *delegateListener) {
	defer close(l.over)
	if err := e.config.HTTP.Serve(l); !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
		e.http.Logf("recycling: serving HTTP/2: %v", err)
	}
}

// delegate gives c to the http.Server, which serves it to its end. c holds no worker.
func (e *Engine) delegate(c *http1.Conn, protocol string, ahead []byte) {
	nc, err := c.NetConn()
	if err != nil {
		c.End()
		return
	}
	if _, ok := nc.(*tls.Conn); !ok {
		again := &http1.PrefixConn{Conn: nc, Prefix: ahead}
		nc = again
		if state := c.TLS(); state != nil {
			nc = &secureConn{again, *state}
		}
	}
	e.delegated.add(nc, c)
	l := e.startDelegateListener()
	select {
	case l.give <- nc:
	case <-l.over:
		e.serveLate(nc)
	}
}

// A secureConn is a TLS connection that is not a tls.Conn.
type secureConn struct {
	net.Conn
	state tls.ConnectionState
}

func (c *secureConn) ConnectionState() tls.ConnectionState { return c.state }

// delegatedConns are the connections that an http.Server serves, by the net.Conn that it was given.
type delegatedConns struct {
	mu  sync.Mutex // guards the following
	all map[net.Conn]*delegatedConn

	turns  int64 // how often one of them has become active
	active int   // how many of them are
}

type delegatedConn struct {
	c      *http1.Conn
	server *oneConnServer // the server that serves it; nil: the application's http.Server does
	active bool           // guarded by delegatedConns.mu
}

// A oneConnServer is a server for a single connection.
type oneConnServer struct {
	http.Server
	listener chanListener
	begun    bool        // the connection waits for its first request, or has sent it
	overdue  *time.Timer // ends that wait
}

func (d *delegatedConns) add(nc net.Conn, c *http1.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = make(map[net.Conn]*delegatedConn)
	}
	d.all[nc] = &delegatedConn{c: c}
}

func (d *delegatedConns) get(nc net.Conn) *delegatedConn {
	switch nc.(type) {
	case *tls.Conn, *http1.PrefixConn, *secureConn:
	default:
		return nil // its type may not be comparable
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all[nc]
}

// remove removes nc, and returns nil if it was already removed.
func (d *delegatedConns) remove(nc net.Conn) *delegatedConn {
	d.mu.Lock()
	defer d.mu.Unlock()
	x := d.all[nc]
	delete(d.all, nc)
	return x
}

// takeHooks replaces the hooks of the http.Server by functions of the engine that call them. Some
// connections and listeners that the http.Server serves must stay hidden from the application, and
// it knows others by a different net.Conn.
func (e *Engine) takeHooks() {
	e.hooks.Do(func() {
		h := e.config.HTTP
		e.http.ConnState, e.http.ConnContext = h.ConnState, h.ConnContext
		h.ConnState, h.ConnContext = e.connState, e.connContext
		if o := e.config.Observer; o != nil {
			e.http.Handler = cmp.Or[http.Handler](h.Handler, http.DefaultServeMux)
			h.Handler = observe.Handler(o, h.Handler) // for HTTP/2
		}
		e.hideListeners()
	})
}

// hideListeners keeps the application's BaseContext from seeing listeners that are not its own. The
// BaseContext of a host does so already.
func (e *Engine) hideListeners() {
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.config.HTTP
	base := h.BaseContext
	e.base = base
	if e.hosting != nil || base == nil {
		return
	}
	h.BaseContext = func(l net.Listener) context.Context {
		if isInternal(l) {
			return context.Background()
		}
		return base(l)
	}
}

// connState is the http.Server's ConnState.
func (e *Engine) connState(nc net.Conn, to http.ConnState) {
	if _, ok := nc.(*busyConn); ok {
		return
	}
	x := e.delegated.get(nc)
	if x == nil {
		if state := e.http.ConnState; state != nil {
			state(nc, to)
		}
		return
	}
	e.delegated.report(x, to)
	if s := x.server; s != nil {
		defer s.follow(to) // even if the application's hook panics
	}
	switch to {
	case http.StateNew: // the application's hook was called when it was accepted
	case http.StateClosed:
		e.delegated.remove(nc)
		x.c.End()
	case http.StateHijacked:
		e.delegated.remove(nc)
		x.c.Release()
	default:
		x.c.Report(to)
	}
}

// connContext is the http.Server's ConnContext.
func (e *Engine) connContext(ctx context.Context, nc net.Conn) context.Context {
	if _, ok := nc.(*busyConn); ok {
		return ctx
	}
	if x := e.delegated.get(nc); x != nil {
		return x.c.Context()
	}
	if inner := e.http.ConnContext; inner != nil {
		return inner(ctx, nc)
	}
	return ctx
}

// serveLate serves a connection that was accepted before the http.Server was shut down, and then
// turns out to speak HTTP/2. A server of its own, with the same settings, serves it.
func (e *Engine) serveLate(nc net.Conn) {
	s := &oneConnServer{listener: newChanListener(1)}
	copySettings(&s.Server, e.config.HTTP)
	e.delegated.get(nc).server = s
	s.listener.give <- nc
	go func() {
		s.Serve(&s.listener)
		select {
		case <-s.listener.give: // Serve failed before it accepted the connection
			e.delegated.remove(nc).c.End()
		default:
		}
	}()
}

// follow is called when the connection changes state. The server shuts down once the client has
// sent its first request or has taken too long for that: a client that is told to leave earlier
// would drop the request that it is about to send.
func (s *oneConnServer) follow(to http.ConnState) {
	switch to {
	case http.StateActive:
		if s.begun && s.overdue.Stop() {
			s.overdue.Reset(0)
		}
	case http.StateIdle:
		if !s.begun {
			s.begun = true
			s.overdue = time.AfterFunc(http1.GraceTime, func() { s.Shutdown(context.Background()) })
		}
	case http.StateClosed, http.StateHijacked:
		s.listener.Close()
		if s.begun {
			s.overdue.Stop()
		}
	}
}

// copySettings gives to the settings of from, and its functions for protocols other than HTTP/2,
// but not HTTP/2 as package golang.org/x/net/http2 may have configured it.
func copySettings(to, from *http.Server) {
	a, b := reflect.ValueOf(to).Elem(), reflect.ValueOf(from).Elem()
	for i := range a.NumField() {
		if a.Type().Field(i).IsExported() {
			a.Field(i).Set(b.Field(i))
		}
	}
	to.BaseContext, to.TLSConfig, to.TLSNextProto = nil, nil, nil
	for name, serve := range from.TLSNextProto {
		if name == "h2" || name == "unencrypted_http2" {
			continue
		}
		if to.TLSNextProto == nil {
			to.TLSNextProto = make(map[string]func(*http.Server, *tls.Conn, http.Handler))
		}
		to.TLSNextProto[name] = func(_ *http.Server, c *tls.Conn, h http.Handler) { serve(from, c, h) }
	}
	// With such a map and no Protocols, net/http would serve no HTTP/2.
	if to.TLSNextProto != nil && to.Protocols == nil {
		to.Protocols = new(http.Protocols)
		to.Protocols.SetHTTP1(true)
		to.Protocols.SetHTTP2(from.TLSNextProto["h2"] != nil)
	}
}
