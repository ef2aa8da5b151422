package offload

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// errExited is the error for functions that have ended their goroutine.
var errExited = errors.New("offload: runtime.Goexit was called instead of returning")

// restart replaces the resource that w owns: it closes it, waits, and tries once to build it anew.
// If that fails, another task for pond makes the next attempt, as Open may have ended this
// goroutine.
func (s *Resources[R]) restart(w *worker) {
	p := s.pool
	o := &s.owned[w.index]
	err := errExited
	defer func() {
		switch {
		case err == nil:
			p.free(w)
		case p.restartCtx.Err() != nil:
			p.begin(func() { s.end(w) })
		default:
			s.c.Failed(err)
			p.begin(func() { s.restart(w) })
		}
	}()
	s.close(w)
	if e := s.backOff(o); e != nil {
		err = e
		return
	}
	err = s.open(p.restartCtx, w)
}

// end closes the resource that w owns, and ends w.
func (s *Resources[R]) end(w *worker) {
	defer s.pool.end(w)
	s.close(w)
}

// backOff waits before the next attempt. It returns an error if no resource is needed any more.
func (s *Resources[R]) backOff(o *owned[R]) error {
	t := time.NewTimer(s.delay(o.tries))
	defer t.Stop()
	select {
	case <-t.C:
		return s.pool.restartCtx.Err()
	case <-s.pool.restartCtx.Done():
		return s.pool.restartCtx.Err()
	}
}

// delay returns how long to wait after the given number of failed attempts.
func (s *Resources[R]) delay(tries int) time.Duration {
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

// open builds the resource for w. The error may also be that of a resource that failed while it was
// built.
func (s *Resources[R]) open(ctx context.Context, w *worker) (err error) {
	o := &s.owned[w.index]
	o.tries++
	l := s.pool.newLease(w)
	o.lease = l
	built := false
	defer func() {
		if !built {
			if v := recover(); v != nil {
				err = fmt.Errorf("offload: panic while opening a resource: %v\n%s", v, debug.Stack())
			}
		}
		s.pool.built(l, built && err == nil)
	}()
	o.resource, err = s.c.Open(ctx, func(err error) { s.fail(l, err) })
	built = true
	o.open = err == nil
	return err
}

// close closes the resource that w owns, if there is one.
func (s *Resources[R]) close(w *worker) {
	o := &s.owned[w.index]
	if !o.open {
		return
	}
	r := o.resource
	*o = owned[R]{tries: o.tries}
	s.pool.revoke(w)
	defer func() {
		if v := recover(); v != nil {
			s.c.Failed(fmt.Errorf("offload: panic while closing a resource: %v\n%s", v, debug.Stack()))
		}
	}()
	if err := s.c.Close(r); err != nil {
		s.c.Failed(err)
	}
}
