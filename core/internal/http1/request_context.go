package http1

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/recycling-go/recycling/core/internal/route"
	"github.com/recycling-go/recycling/core/internal/wait"
)

// A requestContext is a request's context. It ends when the handler has returned, when the client
// is gone, or with the server's context. Nothing is watched until someone asks, because most
// handlers never do. A context derived from it may outlive the exchange, and does not keep it in
// memory.
type requestContext struct {
	base context.Context // the connection's
	srv  *Server

	mu    sync.Mutex // guards following
	x     *exchange  // nil once the exchange has ended, or already when the handler has returned
	local net.Addr   // the connection's address, once x is nil
	armed bool
	wait  waitState
	err   error
	done  chan struct{}      // nil until someone asks for it
	after map[*func()]func() // passed to AfterFunc and not yet called
	stop  func() bool        // stops watching base
}

// Deadline returns the deadline of the server's context.
func (x *requestContext) Deadline() (time.Time, bool) { return x.base.Deadline() }

// Value returns the server and the connection's local address for their keys, x itself for the keys
// of interfaces that x implements, and otherwise asks the server's context.
func (x *requestContext) Value(key any) any {
	switch key {
	case http.ServerContextKey:
		return x.srv.HTTP
	case http.LocalAddrContextKey:
		return x.localAddr()
	case route.Key{}:
		if x.srv.Observer != nil {
			return x
		}
	case wait.Key{}:
		return x
	}
	return x.base.Value(key)
}

func (x *requestContext) localAddr() net.Addr {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.x != nil {
		return x.x.c.LocalAddr()
	}
	return x.local
}

// release drops the exchange.
func (x *requestContext) release() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.releaseLocked()
}

func (x *requestContext) releaseLocked() {
	if x.x != nil {
		x.local = x.x.c.KnownAddr()
		x.x = nil
	}
}

// Done begins to watch for the client going away.
func (x *requestContext) Done() <-chan struct{} {
	x.mu.Lock()
	if x.done == nil {
		x.done = make(chan struct{})
		if x.err != nil {
			close(x.done)
		}
	}
	done := x.done
	arm := x.armLocked()
	x.mu.Unlock()
	if arm {
		x.arm()
	}
	return done
}

// Err begins to watch for the client going away.
func (x *requestContext) Err() error {
	x.mu.Lock()
	arm := x.armLocked()
	x.mu.Unlock()
	if arm {
		x.arm()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

// AfterFunc lets package context derive contexts without a goroutine for each. f must not wait,
// because the goroutine that ends this context calls it. If this context has already ended, a new
// goroutine calls f, since package context holds a lock that f needs.
func (x *requestContext) AfterFunc(f func()) (stop func() bool) {
	x.mu.Lock()
	if x.err != nil {
		x.mu.Unlock()
		go f()
		return func() bool { return false }
	}
	if x.after == nil {
		x.after = make(map[*func()]func())
	}
	key := &f
	x.after[key] = f
	arm := x.armLocked()
	x.mu.Unlock()
	if arm {
		x.arm()
	}
	return func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		_, ok := x.after[key]
		delete(x.after, key)
		return ok
	}
}

func (x *requestContext) String() string { return "recycling.requestContext" }

// armLocked reports whether the caller has to call arm.
func (x *requestContext) armLocked() bool {
	if x.armed || x.err != nil {
		return false
	}
	x.armed = true
	return true
}

// watch watches for the client going away, unless the exchange is over.
func (x *requestContext) watch() {
	x.mu.Lock()
	of := x.x
	x.mu.Unlock()
	if of != nil {
		of.watch(x)
	}
}

// arm watches for the client going away and for the end of the server's context.
func (x *requestContext) arm() {
	x.watch()
	if x.base.Done() == nil {
		return
	}
	stop := context.AfterFunc(x.base, func() { x.cancel(x.base.Err()) })
	x.mu.Lock()
	x.stop = stop
	ended := x.err != nil
	x.mu.Unlock()
	if ended {
		stop()
	}
}

// cancel ends the context with err, unless it has already ended.
func (x *requestContext) cancel(err error) {
	x.mu.Lock()
	x.cancelLocked(err)
}

// cancelLocked is cancel, and releases mu.
func (x *requestContext) cancelLocked(err error) {
	if x.err != nil {
		x.mu.Unlock()
		return
	}
	x.err = err
	if x.done != nil {
		close(x.done)
	}
	after, stop := x.after, x.stop
	x.after, x.stop = nil, nil
	x.mu.Unlock()
	if stop != nil {
		stop()
	}
	for _, f := range after {
		f()
	}
}
