package offload

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"
)

const (
	defaultBackoff    = 100 * time.Millisecond
	defaultMaxBackoff = 30 * time.Second
)

// A ResourceConfig says how [Resources] work. [NewResources] copies it.
type ResourceConfig[R any] struct {
	// Config is that of the pool. There are as many resources as Workers. ErrorHandler is not used.
	Config

	// Open builds one resource. It is called by several goroutines at once, one for each worker. It must return when ctx ends, and
	// not use ctx later. It may pass on failed, which says that the resource that Open returns, or has returned, has
	// failed by itself: it is replaced at once if it is idle, or else when its task has returned. Failed may be
	// called at any time, by any goroutine, and does nothing the second time. Open must be set.
	Open func(ctx context.Context, failed func(error)) (R, error)

	// Close closes a resource: when it has failed, and at the end. No task has it then, nor will any have it. Nil
	// means that there is nothing to do.
	Close func(R) error

	// Backoff is how long to wait before a resource is built again that has failed before a task
	// was done with it, or that could not be built; after each further time in a row it is twice as long, up to
	// MaxBackoff. One that has done a task is replaced at once. Zero means 100 milliseconds. Negative is an error.
	Backoff time.Duration

	// MaxBackoff bounds Backoff. Zero means 30 seconds, or Backoff if that is more. Less than Backoff is an error.
	MaxBackoff time.Duration

	// Failed is told why a resource was found broken, could not be built, or could not be closed; also by
	// several goroutines at once. Nil means that it is printed by package log.
	Failed func(error)
}

func (c ResourceConfig[R]) resolve() (ResourceConfig[R], error) {
	if c.Backoff == 0 {
		c.Backoff = defaultBackoff
	}
	if c.MaxBackoff == 0 {
		c.MaxBackoff = max(defaultMaxBackoff, c.Backoff)
	}
	switch {
	case c.Open == nil:
		return c, errors.New("offload: Open is nil, want a function")
	case c.Backoff < 0:
		return c, fmt.Errorf("offload: Backoff is %v, want zero (the default) or more", c.Backoff)
	case c.MaxBackoff < c.Backoff:
		return c, fmt.Errorf("offload: MaxBackoff is %v, less than Backoff, which is %v", c.MaxBackoff, c.Backoff)
	}
	if c.Close == nil {
		c.Close = func(R) error { return nil }
	}
	if c.Failed == nil {
		c.Failed = func(err error) { log.Print(err) }
	}
	return c, nil
}

// Resources are workers that own one R each: a model, a handle that is not safe for concurrent use, a process. [Use]
// runs tasks with them. Its methods may be called from several goroutines at once, and, but for Shutdown, from tasks.
//
// A resource belongs to its worker, and so to the task that the worker was given to. One that fails is
// closed and built again while the other workers go on; calls wait, as long as they may, if there are no others.
// [RoundRobin] makes them wait for their worker in any case.
type Resources[R any] struct {
	pool  *Pool
	c     ResourceConfig[R]
	owned []owned[R] // by the worker's index
}

// An owned is what a worker owns. Whoever has the worker has it.
type owned[R any] struct {
	resource R
	open     bool
	lease    *lease
	tries    int // to build it, since a task was done with it
}

// NewResources returns Resources that work as c says, when all have been built. It returns the first error of Open, or
// ctx's if ctx ends first, when all calls of Open have returned and what they had built is closed. Errors of c
// name the field and the value. Resources must be ended by Shutdown or Close.
func NewResources[R any](ctx context.Context, c ResourceConfig[R]) (*Resources[R], error) {
	c, err := c.resolve()
	if err != nil {
		return nil, err
	}
	s := &Resources[R]{c: c}
	if s.pool, err = newPool(c.Config, s); err != nil {
		return nil, err
	}
	workers := s.pool.workers
	s.owned = make([]owned[R], len(workers))
	if err := s.openAll(ctx); err != nil {
		s.Close()
		for i := range workers {
			s.pool.begin(func() { s.end(&workers[i]) })
		}
		<-s.Done()
		return nil, err
	}
	for i := range workers {
		s.pool.free(&workers[i])
	}
	return s, nil
}

// openAll builds every resource for the first time.
func (s *Resources[R]) openAll(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	errs := make(chan error, len(s.owned))
	for i := range s.pool.workers {
		s.pool.begin(func() {
			err := errExited
			defer func() { errs <- err }()
			err = s.open(ctx, &s.pool.workers[i])
		})
	}
	for range s.owned {
		if err := <-errs; err != nil {
			cancel(err) // only the first counts; the others are mostly its consequence
		}
	}
	return context.Cause(ctx)
}

// Use runs f with a resource that is f's alone until it returns. It is otherwise what [Do] is. In particular, if ctx
// ends while f runs, Use returns, and f goes on with the resource, which nobody else has until f has returned.
//
// The resource is taken to have failed if f's error wraps [ErrBroken], or f panics or calls [runtime.Goexit].
func Use[R, T any](ctx context.Context, s *Resources[R], f func(context.Context, R) (T, error)) (T, error) {
	return do(ctx, s.pool, func(ctx context.Context, w *worker) (t T, err error) {
		o := &s.owned[w.index]
		failed := errors.New("offload: resource was in use when a task panicked or called runtime.Goexit")
		defer func() { s.judge(o, failed) }()
		t, err = f(ctx, o.resource)
		failed = nil
		if errors.Is(err, ErrBroken) {
			failed = err
		}
		return t, err
	})
}

// judge is told how a task was done with o: nil means well.
func (s *Resources[R]) judge(o *owned[R], failed error) {
	if failed == nil {
		o.tries = 0
		return
	}
	s.fail(o.lease, failed)
}

// fail says that what l is for has failed.
func (s *Resources[R]) fail(l *lease, err error) {
	if s.pool.spoil(l) {
		s.c.Failed(err)
	}
}

// Shutdown is [Pool.Shutdown]. Resources are closed as workers have nothing more to do.
func (s *Resources[R]) Shutdown(ctx context.Context) error { return s.pool.Shutdown(ctx) }

// Close is [Pool.Close]. A resource is closed when its task has returned.
func (s *Resources[R]) Close() { s.pool.Close() }

// Done is [Pool.Done].
func (s *Resources[R]) Done() <-chan struct{} { return s.pool.Done() }

// Stats is [Pool.Stats].
func (s *Resources[R]) Stats() Stats { return s.pool.Stats() }
