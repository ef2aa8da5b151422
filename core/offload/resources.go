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

// A ResourceConfig configures [Resources]. [NewResources] copies it.
type ResourceConfig[R any] struct {
	// Config configures the pool. There are as many resources as Workers. ErrorHandler is not used.
	Config

	// Open builds one resource. It is called by several goroutines at once, one for each worker. It
	// must return when ctx ends, and must not use ctx afterwards. Open may keep failed for later. A
	// call of failed reports that the resource has failed by itself, even before Open has returned
	// it: the resource is replaced at once if it is idle, and otherwise when its task has returned.
	// failed may be called at any time, from any goroutine; a second call does nothing. Open must
	// be set.
	Open func(ctx context.Context, failed func(error)) (R, error)

	// Close closes a resource after it has failed, and when the pool stops. No task uses the
	// resource then or later. Nil means that there is nothing to do.
	Close func(R) error

	// Backoff is how long to wait before building a resource again if it could not be built, or
	// failed before it had completed a task. The time doubles with each further failure in a row,
	// up to MaxBackoff. A resource that has completed a task is replaced at once. Zero means 100
	// milliseconds. Negative is an error.
	Backoff time.Duration

	// MaxBackoff is the upper limit of Backoff. Zero means 30 seconds, or Backoff if that is more.
	// Less than Backoff is an error.
	MaxBackoff time.Duration

	// Failed is called with the reason when a resource is found broken, cannot be built, or cannot
	// be closed; possibly by several goroutines at once. Nil means that package log prints it.
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

// Resources is a pool of workers that own one R each: a model, a handle that is not safe for
// concurrent use, a process. [Use] runs tasks with them. Its methods may be called from several
// goroutines at once, and, except for Shutdown, from tasks.
//
// A resource belongs to its worker, and so to the task that the worker runs. A resource that fails
// is closed and built again while the other workers continue; if there are no others, calls wait,
// within their limits. With [RoundRobin], calls wait for the worker that they were assigned to even
// if others are idle.
type Resources[R any] struct {
	pool  *Pool
	c     ResourceConfig[R]
	owned []owned[R] // by the worker's index
}

// An owned is the resource of one worker. The owner of the worker owns it too.
type owned[R any] struct {
	resource R
	open     bool
	lease    *lease
	tries    int // attempts to build it since it last completed a task
}

// NewResources returns Resources with the configuration c, once all of them have been built. It
// returns the first error of Open, or ctx's if ctx ends first, after all calls of Open have
// returned and the resources already built are closed. Errors in c name the field and the value.
// Resources must be stopped with Shutdown or Close.
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
			cancel(err) // only the first one counts; it mostly causes the others
		}
	}
	return context.Cause(ctx)
}

// Use runs f with a resource that belongs to f alone until f returns, and is otherwise like [Do].
// In particular, if ctx ends while f runs, Use returns, and f keeps the resource until it returns.
//
// The resource is considered failed if f's error wraps [ErrBroken], or if f panics or calls
// [runtime.Goexit].
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

// judge records how a task with o ended; nil means successfully.
func (s *Resources[R]) judge(o *owned[R], failed error) {
	if failed == nil {
		o.tries = 0
		return
	}
	s.fail(o.lease, failed)
}

// fail records that the resource of lease l has failed.
func (s *Resources[R]) fail(l *lease, err error) {
	if s.pool.markBroken(l) {
		s.c.Failed(err)
	}
}

// Shutdown is like [Pool.Shutdown]. Resources are closed when their workers have nothing more to
// do.
func (s *Resources[R]) Shutdown(ctx context.Context) error { return s.pool.Shutdown(ctx) }

// Close is like [Pool.Close]. A resource is closed when its task has returned.
func (s *Resources[R]) Close() { s.pool.Close() }

// Done is like [Pool.Done].
func (s *Resources[R]) Done() <-chan struct{} { return s.pool.Done() }

// Stats is like [Pool.Stats].
func (s *Resources[R]) Stats() Stats { return s.pool.Stats() }
