package offload

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Resources is a pool of workers that own one R each: a model, a handle that is not safe for
// concurrent use, a process. [Use] runs tasks with them. Its methods may be called from several
// goroutines at once, and, except for Shutdown and Restart, from tasks.
//
// A resource belongs to its worker, and so to the task that the worker runs. A resource that fails
// is closed and built again while the other workers continue; if there are no others, calls wait,
// within their limits. With [RoundRobin], calls wait for the worker that they were assigned to even
// if others are idle.
type Resources[R any] struct {
	*resources[R]
	needs []need // the slots that each call through this Resources needs; see With
}

// A resources is the state that a Resources shares with those that its method With returns.
type resources[R any] struct {
	pool *pool
	c    ResourceConfig[R]
}

// An owned is a resource. The owner of its worker owns it too; before it has a worker, replace
// does.
type owned[R any] struct {
	lease    *lease
	resource R
	open     bool
	tasks    int // completed with it
	maxTasks int // when tasks is this, it is to be replaced; zero means never
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
	s := &resources[R]{c: c}
	if s.pool, err = newPool(c.Config, s); err != nil {
		return nil, err
	}
	s.pool.renewal.closeFirst, s.pool.renewal.limit = c.CloseFirst, c.ReplaceAtOnce
	workers := slices.Clone(s.pool.workers)
	if err := s.openAll(ctx, workers); err != nil {
		s.pool.close()
		for _, w := range workers {
			s.pool.begin(func() { s.end(w) })
		}
		<-s.pool.done
		return nil, err
	}
	for _, w := range workers {
		s.pool.free(w)
	}
	return &Resources[R]{resources: s}, nil
}

// openAll builds every resource for the first time.
func (s *resources[R]) openAll(ctx context.Context, workers []*worker) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	errs := make(chan error, len(workers))
	for _, w := range workers {
		s.pool.begin(func() {
			err := errExited
			defer func() { errs <- err }()
			err = s.open(ctx, w)
		})
	}
	for range workers {
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
	return do(ctx, s.pool, request(s.needs), func(ctx context.Context, w *worker) (t T, err error) {
		o := w.lease.self.(*owned[R])
		failed := errors.New("offload: resource was in use when a task panicked or called runtime.Goexit")
		defer func() { s.judge(w, o, failed) }()
		t, err = f(ctx, o.resource)
		failed = nil
		if errors.Is(err, ErrBroken) {
			failed = err
		}
		return t, err
	})
}

// judge records how a task with the resource of w ended; nil means successfully.
func (s *resources[R]) judge(w *worker, o *owned[R], failed error) {
	if failed != nil {
		s.fail(o.lease, failed)
		return
	}
	w.tries = 0
	o.tasks++
	if o.tasks == o.maxTasks {
		s.pool.wear(o.lease, fmt.Errorf("offload: resource has done %d tasks", o.tasks))
	}
	if s.c.Worn != nil {
		if why := s.wornOut(o); why != nil {
			s.pool.wear(o.lease, why)
		}
	}
}

// fail records that the resource of lease l has failed.
func (s *resources[R]) fail(l *lease, err error) {
	if s.pool.markBroken(l) {
		s.report(err)
	}
}

// report reports a failure of a resource.
func (s *resources[R]) report(err error) {
	s.pool.callback(func() { s.c.Failed(err) })
	s.pool.event(Event{Kind: ResourceFailed, Err: err})
}

// With is like [Pool.With], for calls of Use.
func (s *Resources[R]) With(slots Slots) (*Resources[R], error) {
	needs, err := s.pool.needsOf(slots)
	if err != nil {
		return nil, err
	}
	return &Resources[R]{s.resources, needs}, nil
}

// Resize is like [Pool.Resize]. It does not wait until new resources have been built: if one cannot
// be built, its worker tries again as after a failure. The resource of a worker that is removed is
// closed when its task has returned.
func (s *Resources[R]) Resize(by int) (workers int, err error) { return s.pool.resize(by) }

// Restart replaces every resource there is, ReplaceAtOnce at the same time, and returns when all
// have been replaced. No call fails because of it: see [ResourceConfig]. A resource whose task does
// not return is replaced last.
//
// If ctx ends first, the error wraps ctx's, and those resources that have not been replaced by then
// stay in use. [ResourceConfig.Failed] gets the reason why a new one could not be opened. If the
// pool is stopped, the error wraps [ErrClosed].
func (s *Resources[R]) Restart(ctx context.Context) error { return s.pool.restartAll(ctx) }

// Shutdown is like [Pool.Shutdown]. Resources are closed when their workers have nothing more to
// do.
func (s *Resources[R]) Shutdown(ctx context.Context) error { return s.pool.shutdown(ctx) }

// Close is like [Pool.Close]. A resource is closed when its task has returned.
func (s *Resources[R]) Close() { s.pool.close() }

// Done is like [Pool.Done].
func (s *Resources[R]) Done() <-chan struct{} { return s.pool.done }

// Stats is like [Pool.Stats].
func (s *Resources[R]) Stats() Stats { return s.pool.stats() }
