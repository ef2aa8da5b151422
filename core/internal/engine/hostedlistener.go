package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/recycling-go/recycling/core/internal/http1"
)

// Listener returns a listener for an http.Server to serve. Its Accept serves the connections of l,
// and does not return until l or the engine is closed.
func (e *Engine) Listener(l net.Listener) net.Listener {
	return &hostedListener{
		Listener: l,
		engine:   e,
		handed:   make(chan net.Conn),
		closed:   make(chan struct{}),
		accepted: make(chan struct{}),
		over:     make(chan struct{}),
	}
}

// A hostedListener is the listener that Engine.Listener returns.
type hostedListener struct {
	net.Listener
	engine *Engine

	mu      sync.Mutex      // guards the following, which do not change once Accept was called
	host    *Host           // nil unless the engine's http.Server is known to serve it
	witness *witness        // the host's
	base    context.Context // the host's
	tls     *tls.Config     // of the listener of package tls around it; nil if there is none
	plain   bool            // net/http serves it, as if it were Listener

	begin    sync.Once
	handed   chan net.Conn // connections for Accept to return
	close    sync.Once
	closed   chan struct{} // closed by Close
	accepted chan struct{} // closed when accepting has ended
	end      sync.Once
	over     chan struct{} // closed when Accept must return err
	err      error
}

// join tells h that its host is about to call h.Accept. If it is not called, either another
// http.Server serves h, or the host does not know that it serves h: because h is wrapped, or
// because its BaseContext was replaced. join records the witness and base context of the host, and
// the config of a listener of package tls around h. If w is nil, net/http serves h. It reports
// false if h is closed.
func (h *hostedListener) join(by *Host, w *witness, base context.Context, config *tls.Config) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isClosed() {
		return false
	}
	h.host, h.witness, h.base, h.tls, h.plain = by, w, base, config, w == nil
	return true
}

// Accept serves until the end. Before that it returns only connections that net/http must serve.
func (h *hostedListener) Accept() (net.Conn, error) {
	if h.plain {
		return Proxied(h.Listener, h.engine.config.Proxy).Accept()
	}
	h.begin.Do(func() { go h.serve() })
	select {
	case nc := <-h.handed:
		return nc, nil
	case <-h.over:
		return nil, h.err
	}
}

func (h *hostedListener) serve() {
	err := h.accept()
	close(h.accepted)
	switch {
	case h.witness != nil:
		h.host.left(h.engine)
		h.witness.settle()
		h.engine.drainUnlessAlone(h.witness)
		if h.isClosed() || errors.Is(err, http.ErrServerClosed) {
			err = h.ended()
		}
		h.finish(err)
	case h.isClosed(): // stop calls finish
	case errors.Is(err, http.ErrServerClosed):
		h.awaitEnd()
	default:
		h.finish(err)
	}
}

func (h *hostedListener) accept() error {
	return h.engine.accept(h.Listener, serveConfig{tls: h.tls, hosted: h, base: h.base, end: h.closed})
}

// awaitEnd waits for the engine to end and calls finish, for an http.Server that was not told to
// close h.
func (h *hostedListener) awaitEnd() {
	ask := time.NewTicker(pollInterval)
	defer ask.Stop()
	var abandoned <-chan time.Time
	for {
		select {
		case <-h.over:
			return
		case <-h.engine.drained:
			h.finish(h.ended())
			return
		case <-abandoned:
			h.finish(h.ended())
			return
		case <-ask.C:
			if abandoned == nil && h.engine.abandoning.Load() {
				abandoned = time.After(2 * abandonWait) // if stop is running, it logs first
			}
		}
	}
}

// drainUnlessAlone stops draining if only a listener was closed: neither the engine is stopping nor
// does w know of a Shutdown.
func (e *Engine) drainUnlessAlone(w *witness) {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-w.closed:
	default:
		if !e.stopping {
			e.http.UnsetDraining()
		}
	}
}

// hand passes a connection that does not speak HTTP/1 to the engine's http.Server, or to the caller
// of Accept if that is not known to be the engine's. The engine then no longer counts it.
func (h *hostedListener) hand(c *http1.Conn, protocol string, ahead []byte) {
	if h.witness != nil {
		h.engine.delegate(c, protocol, ahead)
		return
	}
	nc, early, err := c.Release()
	if err != nil {
		c.End()
		return
	}
	if ahead = append(ahead, early...); len(ahead) > 0 {
		nc = &http1.PrefixConn{Conn: nc, Prefix: ahead}
	}
	select {
	case h.handed <- nc:
	case <-h.over:
		nc.Close()
	case <-h.engine.stop:
		nc.Close()
	}
}

// finish makes Accept return.
func (h *hostedListener) finish(err error) {
	h.end.Do(func() {
		h.err = err
		close(h.over)
	})
}

// closeWait is how long Close waits until the connections that the kernel has completed are
// accepted. An http.Server calls Close with its mutex held, and a hook may wait for that mutex.
const closeWait = 100 * time.Millisecond

// Close returns when the address is free. It does not wait for requests in flight.
func (h *hostedListener) Close() error {
	h.close.Do(func() {
		h.mu.Lock()
		close(h.closed)
		w, plain := h.witness, h.plain
		h.mu.Unlock()
		select {
		case <-h.accepted: // Serve closes a listener that was closed already
		default:
			if w != nil { // most likely a Shutdown, whose responses have "Connection: close"
				h.engine.http.SetDraining()
			}
		}
		served := true
		h.begin.Do(func() { served = false })
		if served {
			h.awaitAccepted()
		}
		h.Listener.Close() // accept may have closed it
		switch {
		case plain:
		case served && w == nil:
			go h.stop()
		case !served:
			h.finish(h.ended())
			if w != nil {
				h.engine.drainUnlessAlone(w)
				h.host.left(h.engine)
			}
		}
	})
	return nil
}

// awaitAccepted waits until accepting has ended, for at most closeWait.
func (h *hostedListener) awaitAccepted() {
	t := time.NewTimer(closeWait)
	defer t.Stop()
	select {
	case <-h.accepted:
	case <-t.C:
	}
}

func (h *hostedListener) isClosed() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}

// stop drains the engine after an http.Server that may have been shut down or closed has closed h.
func (h *hostedListener) stop() {
	defer h.finish(h.ended())
	if h.engine.abandoning.Load() { // the abandoning goroutine reports what is left
		h.engine.abandon()
		return
	}
	h.engine.drainForHost()
}

// ended returns the error that Accept returns at the end. If h was not closed, it was s that was
// shut down, and Serve of s.HTTP has to return http.ErrServerClosed nevertheless.
func (h *hostedListener) ended() error {
	if !h.isClosed() {
		return http.ErrServerClosed
	}
	return &net.OpError{Op: "accept", Net: h.Addr().Network(), Addr: h.Addr(), Err: net.ErrClosed}
}

// drainForHost is shutdown on behalf of an http.Server that is itself shutting down, and cannot
// receive the error.
func (e *Engine) drainForHost() {
	e.beginShutdown()
	ctx := context.Background()
	if e.config.DrainTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.config.DrainTimeout)
		defer cancel()
	}
	if e.wait(ctx) == nil {
		return
	}
	e.http.Logf("recycling: closing %d connections that are still open after DrainTimeout (%v)", e.Stats().Open, e.config.DrainTimeout)
	e.abandonForHost()
}

// abandonForHost is abandon, but logs what is left, since no caller can receive it.
func (e *Engine) abandonForHost() {
	told := e.abandoning.Load() // the goroutine that abandons it reports what is left
	if busy := e.abandon(); !told && busy > 0 {
		e.http.Logf("recycling: %d workers are still inside a handler", busy)
	}
}
