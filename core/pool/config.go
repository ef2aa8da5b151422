package pool

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"
)

// defaultIdleTime is used if Config.IdleTime is zero.
const defaultIdleTime = 5 * time.Second

// A Config configures a [Pool]. [New] copies it.
type Config[T any] struct {
	// Work runs one job. Exactly one of Work and New must be set.
	//
	// If Work panics, package log prints the value and the stack. To report a panic in another way,
	// recover it in Work. If Work leaves its goroutine in a bad state, for example with
	// [runtime.LockOSThread], it should call [runtime.Goexit]: the worker is replaced when needed.
	Work func(job T)

	// New returns the Work function of one worker, which may own memory. It is called on the
	// worker's goroutine when the worker gets its first job, and again after a job that panicked,
	// since the state of the old Work function may be inconsistent. If New panics, the pool treats
	// it as a panic of that job. A job may use c while it runs: see Control.
	New func(c *Control) func(job T)

	// Lead is called by a worker with nothing to do, one worker at a time: it waits for work from
	// outside, and returns it, appended to batch[:0]. The pool does not use the batch any more when
	// it calls Lead again. One worker leads from the beginning. When Lead returns, another worker
	// starts to lead before the former leader starts to work. Max does not limit leading: when Max
	// workers are at work, one more goroutine leads.
	//
	// An error ends leading for good; jobs returned with it are accepted. The pool continues with
	// submitted jobs. A panic in Lead is not recovered; runtime.Goexit counts as an error.
	Lead func(batch []T) ([]T, error)

	// Max is how many workers may be at work, that is, inside Work, at the same time. Zero means
	// runtime.GOMAXPROCS(0). Negative is an error.
	Max int

	// Standby is how many idle workers are kept; the leader does not count as idle. Zero means as
	// many as can run at once: runtime.GOMAXPROCS(0), or Max if that is less. Negative means none.
	// More than Max is an error.
	Standby int

	// Queue is how many jobs may wait for a worker while Max workers are at work. Zero means no
	// limit. Negative is an error. Jobs from Lead and Push count, but are always accepted.
	Queue int

	// MaxPaused bounds the jobs that are paused, and those that have resumed beyond Max: see
	// [Control.Pause]. So there are never more than Max + MaxPaused jobs that have begun. Zero
	// means Max. Negative is an error.
	MaxPaused int

	// Group, if set, is the group that the pool belongs to. Max, Standby and MaxPaused then apply
	// to all pools of the group together, and must be the same in each of them. Work or New must do
	// the same in each of them too, because an idle worker may move to another pool of the group,
	// and a worker may run jobs of another pool: see Lent in Stats. Queue must be zero.
	Group *Group[T]

	// IdleTime is how long there must be more than Standby idle workers before the surplus workers
	// end; they may take twice as long. Zero means 5 seconds. Negative is an error.
	IdleTime time.Duration
}

// resolve checks c and replaces zero values with the defaults. It takes c by value, so the caller's
// Config is not modified.
func (c Config[T]) resolve() (Config[T], error) {
	switch {
	case (c.Work == nil) == (c.New == nil):
		return c, errors.New("pool: want exactly one of Work and New")
	case c.Max < 0:
		return c, fmt.Errorf("pool: Max is %d, want zero (the default) or more", c.Max)
	case c.Queue < 0:
		return c, fmt.Errorf("pool: Queue is %d, want zero (no bound) or more", c.Queue)
	case c.MaxPaused < 0:
		return c, fmt.Errorf("pool: MaxPaused is %d, want zero (the default) or more", c.MaxPaused)
	case c.IdleTime < 0:
		return c, fmt.Errorf("pool: IdleTime is %v, want zero (the default) or more", c.IdleTime)
	}
	if err := c.checkGroup(); err != nil {
		return c, err
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
	if c.MaxPaused == 0 {
		c.MaxPaused = c.Max
	}
	if c.Queue == 0 {
		c.Queue = math.MaxInt
	}
	if c.IdleTime == 0 {
		c.IdleTime = defaultIdleTime
	}
	if c.New == nil {
		work := c.Work
		c.New = func(*Control) func(T) { return work }
	}
	return c, nil
}
