package pool

import (
	"fmt"
	"log"
	"math"
	"runtime"
	"time"
)

// defaultIdleTime is what a zero Config.IdleTime means.
const defaultIdleTime = 5 * time.Second

// A Config says what a pool works with. New copies what it needs.
type Config[T any] struct {
	// Work does one job. Exactly one of Work and New must be set.
	Work func(job T)

	// New returns the function that does one worker's jobs, one after the other, and
	// may own memory for that. It is called on the worker's goroutine when the worker has its first job,
	// and once more after a job that panicked, since what the old one owned may
	// be in disorder. If New itself panics, the job is lost as if it had panicked.
	New func() func(job T)

	// Lead is what a worker with nothing to do does, one worker at a time: it waits for work
	// to come from outside and returns it, appended to batch[:0]; the pool has done with the
	// batch by the time it calls Lead again. One worker leads from the beginning, and whenever the leader
	// comes back with work, the next one leads before anybody disappears into Work. Max bounds the
	// workers inside Work: while all of them are, one more goroutine still leads.
	//
	// Jobs that come with an error are taken, and the error ends leading for good; the pool
	// then goes on with jobs that are submitted. A panic of Lead is not recovered. If it ends
	// its goroutine by runtime.Goexit, that is an error.
	Lead func(batch []T) ([]T, error)

	// Max is how many workers may be inside Work at the same time.
	// Zero means runtime.GOMAXPROCS(0). Negative is an error.
	Max int

	// Standby is how many workers with nothing to do are kept, the leader not counted.
	// Zero means runtime.GOMAXPROCS(0), or Max if that is less: as many as can run at once.
	// Negative means none. More than Max is an error.
	Standby int

	// Queue is how many jobs may wait for a worker when Max workers are at work.
	// Zero means any number. Negative is an error. Jobs that come from Lead and Push
	// count, but are always taken.
	Queue int

	// IdleTime is how long more than Standby workers must have had nothing to do before
	// the surplus ends. It takes at most twice as long. Zero means 5 seconds.
	// Negative is an error.
	IdleTime time.Duration

	// Retire, if it is set, is asked by a worker after each job. True ends that worker;
	// it is replaced when it is needed. For jobs that spoil their goroutine,
	// say by runtime.LockOSThread.
	Retire func() bool

	// Panic is told the value and the stack of a job that panicked, on the goroutine that
	// did the job. The panic ends that job and nothing else. Nil means that
	// both are printed by package log, as net/http does.
	Panic func(v any, stack []byte)
}

// resolve checks c, and fills in what zero means. It has c by value: the caller's is not written to.
func (c Config[T]) resolve() (Config[T], error) {
	switch {
	case (c.Work == nil) == (c.New == nil):
		return c, fmt.Errorf("pool: exactly one of Work and New must be set")
	case c.Max < 0:
		return c, fmt.Errorf("pool: Max is %d, want zero (the default) or more", c.Max)
	case c.Queue < 0:
		return c, fmt.Errorf("pool: Queue is %d, want zero (no bound) or more", c.Queue)
	case c.IdleTime < 0:
		return c, fmt.Errorf("pool: IdleTime is %v, want zero (the default) or more", c.IdleTime)
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
		c.Queue = math.MaxInt - c.Max
	}
	if c.IdleTime == 0 {
		c.IdleTime = defaultIdleTime
	}
	if c.New == nil {
		work := c.Work
		c.New = func() func(T) { return work }
	}
	if c.Panic == nil {
		c.Panic = func(v any, stack []byte) { log.Printf("pool: panic in a job: %v\n%s", v, stack) }
	}
	return c, nil
}
