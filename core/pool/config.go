package pool

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"runtime"
	"slices"
	"time"
)

// defaultIdleTime is what a zero Config.IdleTime means.
const defaultIdleTime = 5 * time.Second

// A Config says how a [Pool] works. [New] copies it.
type Config[T any] struct {
	// Work does one job. Exactly one of Work and New must be set.
	Work func(job T)

	// New returns the Work of one worker, which may own memory. It is called once per worker, on
	// the worker's goroutine when its first job has come, and once more after a job that panicked,
	// since what the old Work owned may be in disorder. If New panics, that is a panic of the job
	// that has come.
	//
	// A job that turns into something else may call leave: then the worker that does it no longer
	// counts, the pool goes on as if the job were done, and the goroutine ends when it is. It must
	// not be called once the job has returned; a second call does nothing.
	New func(leave func()) func(job T)

	// Lead is what a worker with nothing to do does, one worker at a time: it waits until work
	// comes from outside, and returns it, appended to batch[:0]. The pool is done with the batch
	// when it calls Lead again. One worker leads from the beginning, and another one before a
	// leader that came back goes to work. Max does not bound leading: with Max workers at work,
	// one more goroutine leads.
	//
	// An error ends leading for good; jobs that come with it are taken. The pool goes on with jobs
	// that are submitted. A panic in Lead is not recovered; runtime.Goexit counts as an error.
	Lead func(batch []T) ([]T, error)

	// Context, if set, returns the context that a job carries, or nil if it has none. A job whose
	// context has ended when its turn comes is not begun. A context that ends later is the job's
	// own affair.
	Context func(job T) context.Context

	// Skip, if set, is told of a job that was not begun, and its context's error, by the worker
	// that would have done it. It needs Context.
	Skip func(job T, err error)

	// Max is how many workers may be at work, that is, inside Work, at the same time. Zero means
	// runtime.GOMAXPROCS(0). Negative is an error.
	Max int

	// Standby is how many idle workers are kept; the leader is not idle. Zero means as many as can
	// run at once: runtime.GOMAXPROCS(0), or Max if that is less. Negative means none. More than
	// Max is an error.
	Standby int

	// Queue is how many jobs may wait for a worker while Max workers are at work. Zero means any
	// number. Negative is an error. Jobs from Lead and Push are counted, but always taken.
	Queue int

	// IdleTime is how long more than Standby workers must have been idle before the surplus ends;
	// it may take twice as long. Zero means 5 seconds. Negative is an error.
	IdleTime time.Duration

	// Retire, if set, is asked by a worker after each job. True ends that worker, which is
	// replaced when it is needed. It is for jobs that spoil their goroutine, for example with
	// runtime.LockOSThread.
	Retire func() bool

	// CPUs, if not empty, are the numbers of the processors to work on. Each worker is locked to a
	// thread, and that to one of them, of those with the fewest workers the first. A
	// worker that owns memory then finds it in its processor's caches, but each time it goes
	// idle and comes back takes several times as long: it is for long jobs that compute.
	//
	// [New] returns an error if one of them is not to be had, and one that wraps
	// [errors.ErrUnsupported] on systems other than Linux.
	CPUs []int

	// Metrics, if set, is told of jobs as they end. What can be read at any time is in [Stats].
	Metrics Metrics

	// Panic is told the value and the stack of a job that panicked, on the goroutine that did it,
	// before that goes on. Nil means that they are printed by package log, as net/http does.
	Panic func(v any, stack []byte)
}

// resolve checks c and fills in what zero means. It has c by value: the caller's is not written
// to.
func (c Config[T]) resolve() (Config[T], error) {
	switch {
	case (c.Work == nil) == (c.New == nil):
		return c, errors.New("pool: want exactly one of Work and New")
	case c.Max < 0:
		return c, fmt.Errorf("pool: Max is %d, want zero (the default) or more", c.Max)
	case c.Queue < 0:
		return c, fmt.Errorf("pool: Queue is %d, want zero (no bound) or more", c.Queue)
	case c.IdleTime < 0:
		return c, fmt.Errorf("pool: IdleTime is %v, want zero (the default) or more", c.IdleTime)
	case c.Skip != nil && c.Context == nil:
		return c, errors.New("pool: Skip without Context")
	}
	if len(c.CPUs) > 0 {
		c.CPUs = slices.Clone(c.CPUs)
		if err := tryCPUs(c.CPUs); err != nil {
			return c, err
		}
	}
	if c.Max == 0 {
		c.Max = runtime.GOMAXPROCS(0)
	}
	if c.Standby > c.Max {
		return c, fmt.Errorf("pool: Standby is %d, more than Max, which is %d", c.Standby, c.Max)
	}
	if c.Standby == 0 {
		c.Standby = min(runtime.GOMAXPROCS(0), c.Max)
	}
	c.Standby = max(c.Standby, 0)
	if c.Queue == 0 {
		c.Queue = math.MaxInt
	}
	if c.IdleTime == 0 {
		c.IdleTime = defaultIdleTime
	}
	if c.New == nil {
		work := c.Work
		c.New = func(func()) func(T) { return work }
	}
	if c.Panic == nil {
		c.Panic = func(v any, stack []byte) { log.Printf("pool: panic in a job: %v\n%s", v, stack) }
	}
	return c, nil
}
