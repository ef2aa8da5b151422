package http1

import (
	"context"
	"sync"
	"time"
)

// A requestContext is a request's context. It ends when the handler has returned, when the client is gone, or
// with the context of the server. Nothing watches for that until somebody asks: most handlers
// never do.
type requestContext struct {
	x *exchange

	mu    sync.Mutex // guards following
	armed bool
	err   error
	done  chan struct{}      // nil until somebody asks for it
	after map[*func()]func() // what AfterFunc was given and is not yet called
	base  func() (stop bool) // ends watching the server's context
}

// Deadline is the server's context's.
func (x *requestContext) Deadline() (time.Time, bool) { return x.x.c.base.Deadline() }

// Value knows the server and the connection's address, and asks the server's context for the rest.
func (x *requestContext) Value(key any) any {
	return connContext{x.x.c.base, x.x.c}.Value(key)
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

// AfterFunc lets package context derive contexts from this one without a goroutine for each. f must not wait: it is called by
// whoever ends the context. If that has ended by now, a goroutine calls f, since package context holds a lock that f needs.
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

// armLocked reports whether it is the caller who has to call arm.
func (x *requestContext) armLocked() bool {
	if x.armed || x.err != nil {
		return false
	}
	x.armed = true
	return true
}

// arm watches for the client going away and for the end of the server's context.
func (x *requestContext) arm() {
	x.x.watch()
	if x.x.c.base.Done() == nil {
		return
	}
	stop := context.AfterFunc(x.x.c.base, func() { x.cancel(x.x.c.base.Err()) })
	x.mu.Lock()
	x.base = stop
	ended := x.err != nil
	x.mu.Unlock()
	if ended {
		stop()
	}
}

// cancel ends the context; the first error stays.
func (x *requestContext) cancel(err error) {
	x.mu.Lock()
	if x.err != nil {
		x.mu.Unlock()
		return
	}
	x.err = err
	if x.done != nil {
		close(x.done)
	}
	after, base := x.after, x.base
	x.after, x.base = nil, nil
	x.mu.Unlock()
	if base != nil {
		base()
	}
	for _, f := range after {
		f()
	}
}
