package offload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"
)

// errExited is the error for functions that have ended their goroutine.
var errExited = errors.New("offload: runtime.Goexit was called instead of returning")

// restart replaces the resource that w owns: it closes it, waits, and tries once to build it anew.
// If that fails, another task for pond makes the next attempt, as Open may have ended this
// goroutine.
func (s *resources[R]) restart(w *worker) {
	p := s.pool
	err := errExited
	defer func() {
		switch {
		case err == nil:
			p.free(w)
		case w.ctx.Err() != nil:
			p.begin(func() { s.end(w) })
		default:
			defer p.begin(func() { s.restart(w) }) // even if Failed ends this goroutine
			s.report(err)
		}
	}()
	s.closeOf(w)
	if e := s.backOff(w.ctx, w.tries); e != nil {
		err = e
		return
	}
	err = s.open(w.ctx, w)
	if err == nil && w.renewing {
		s.announce(w.before)
	}
}

// end closes the resource that w owns, and ends w.
func (s *resources[R]) end(w *worker) {
	defer s.pool.end(w)
	s.closeOf(w)
}

// backOff waits before the next attempt. It returns an error if no resource is needed any more.
func (s *resources[R]) backOff(ctx context.Context, tries int) error {
	d := s.delay(tries)
	if d == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// delay returns how long to wait after the given number of failed attempts.
func (s *resources[R]) delay(tries int) time.Duration {
	if tries == 0 {
		return 0
	}
	d := s.c.Backoff
	for range tries - 1 {
		if d >= s.c.MaxBackoff/2 {
			return s.c.MaxBackoff
		}
		d *= 2
	}
	return d
}

// open builds the resource for w.
func (s *resources[R]) open(ctx context.Context, w *worker) error {
	w.tries++
	o := newOwned[R]()
	s.pool.assign(o.lease, w)
	return s.build(ctx, o)
}

func newOwned[R any]() *owned[R] {
	o := &owned[R]{}
	o.lease = newLease(o)
	return o
}

// build builds a resource. The error may also be that of a resource that failed while it was built.
func (s *resources[R]) build(ctx context.Context, o *owned[R]) (err error) {
	l := o.lease
	built := false
	defer func() {
		if !built {
			if v := recover(); v != nil {
				err = fmt.Errorf("offload: panic while opening a resource: %v\n%s", v, debug.Stack())
			}
		}
		s.pool.built(l, o.open)
		if o.open {
			s.opened(o)
		}
	}()
	r, err := s.c.Open(ctx, func(err error) { s.fail(l, err) })
	built = true
	if err == nil {
		o.resource, o.open = r, true
	}
	return err
}

// opened is called when a resource has been built.
func (s *resources[R]) opened(o *owned[R]) {
	c := &s.c
	if c.MaxTasks > 0 {
		o.maxTasks = c.MaxTasks - rand.IntN(c.MaxTasks/10+1)
	}
	if c.MaxAge > 0 {
		age := c.MaxAge - rand.N(c.MaxAge/10+1)
		s.pool.arm(o.lease, ageTimer, age, func() {
			s.pool.wear(o.lease, fmt.Errorf("offload: resource is %v old", age))
		})
	}
	s.armCheck(o)
	s.pool.event(Event{Kind: ResourceOpened, Resource: o.resource})
}

// closeOf closes the resource that w owns, if there is one.
func (s *resources[R]) closeOf(w *worker) {
	if w.lease != nil {
		s.close(w.lease.self.(*owned[R]))
	}
}

// close closes a resource, if it was built.
func (s *resources[R]) close(o *owned[R]) {
	if !o.open {
		return
	}
	o.open = false
	s.pool.revoke(o.lease)
	r := o.resource
	defer s.pool.event(Event{Kind: ResourceClosed, Resource: r})
	defer func() {
		if v := recover(); v != nil {
			s.report(fmt.Errorf("offload: panic while closing a resource: %v\n%s", v, debug.Stack()))
		}
	}()
	if err := s.c.Close(r); err != nil {
		s.report(err)
	}
}
