package offload

import (
	"context"
	"runtime"
	"runtime/debug"
)

// Do runs f when p has a worker for it, on a goroutine of the pool, and returns what f returns.
//
// f's context is ctx, but also ends after [Config.Timeout], at Close, and when Do returns. If it
// ends while f waits for a worker, f is never called. If it ends while f runs, Do returns without
// waiting: the result of f is dropped, and f's worker becomes free only when f returns. So f should
// respect its context, and its result must not need to be closed, since it may be dropped.
//
// The error is f's; a [*ShedError]; ctx's own if ctx has ended; or [context.DeadlineExceeded] if
// Timeout passed while f was running. If f panics, Do panics with a [*Panic]; if f calls
// [runtime.Goexit], so does Do.
func Do[R any](ctx context.Context, p *Pool, f func(context.Context) (R, error)) (R, error) {
	return do(ctx, p.pool, request(p.needs), func(ctx context.Context, _ *worker) (R, error) { return f(ctx) })
}

func do[R any](parent context.Context, p *pool, r *slotRequest, f func(context.Context, *worker) (R, error)) (R, error) {
	var zero R
	ctx, cancel := p.taskContext(parent)
	defer cancel()
	t := &task[R]{pool: p, ctx: ctx, f: f}
	t.slots = r
	t.wake = make(chan struct{}, 1)
	t.run = t.work
	if err := p.enter(parent, &t.call); err != nil {
		return zero, err
	}
	if to := p.await(parent, ctx, &t.call); to != finished {
		return zero, p.failure(parent, to)
	}
	switch t.outcome {
	case panicked:
		t.panic.raise()
	case exited:
		runtime.Goexit()
	}
	return t.result, t.err
}

// taskContext returns the context of a task, and a function to call when no caller waits for it any
// more.
func (p *pool) taskContext(parent context.Context) (context.Context, func()) {
	var ctx context.Context
	var cancel context.CancelFunc
	if p.c.Timeout > 0 {
		ctx, cancel = context.WithTimeout(parent, p.c.Timeout)
	} else {
		ctx, cancel = context.WithCancel(parent)
	}
	stop := context.AfterFunc(p.forced, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// A task is a call of do. pond's goroutine writes its outcome before the fate is finished, and the
// caller reads it after that.
type task[R any] struct {
	call
	pool *pool
	ctx  context.Context
	f    func(context.Context, *worker) (R, error)

	outcome outcome
	result  R
	err     error
	panic   *Panic
}

// An outcome is how a function ended.
type outcome uint8

const (
	exited outcome = iota // by runtime.Goexit
	panicked
	returned
)

// work is the function that pond runs.
func (t *task[R]) work() {
	if !t.pool.start(t.ctx, &t.call) {
		return
	}
	defer t.end()
	t.result, t.err = t.f(t.ctx, t.worker)
	t.outcome = returned
}

// end is deferred by work.
func (t *task[R]) end() {
	if t.outcome != returned {
		if v := recover(); v != nil {
			t.outcome = panicked
			t.panic = &Panic{v, debug.Stack()}
		}
	}
	t.pool.finish(&t.call, t.panic)
}
