package offload

import (
	"fmt"
	"log"
	"maps"
	"net/http"
	"runtime"
	"time"
)

const (
	defaultMaxWorkers = 64
	defaultQueue      = 256
	defaultWait       = 2 * time.Second
	defaultRetryAfter = time.Second
)

// A Config configures a [Pool]. [New] copies it.
type Config struct {
	// Workers is how many tasks may run at the same time. Zero means runtime.GOMAXPROCS(0)-1, but
	// at least one. Negative is an error.
	Workers int

	// MaxWorkers is the largest number of workers that [Pool.Resize] allows. Zero means 64, or
	// Workers if that is more. Less than Workers is an error.
	MaxWorkers int

	// Slots are what tasks may occupy besides a worker, such as {"GPU": 1}: see [Pool.With]. Nil
	// means nothing. A negative amount is an error.
	Slots Slots

	// Queue is how many calls may wait for a worker, under either Policy. Zero means 256. Negative
	// means none: a call that finds no idle worker is shed.
	Queue int

	// Wait is how long a call may wait for a worker; no task begins after that. Zero means 2
	// seconds. Negative means no limit except Timeout and the context.
	Wait time.Duration

	// Timeout is how long a call may take, including its time in the queue: the context of its task
	// ends then. Zero means no limit except the context's own. Negative is an error.
	Timeout time.Duration

	// Policy determines which worker a call waits for.
	Policy Policy

	// RetryAfter is how long a client that was shed is asked to wait before it retries; the header
	// has whole seconds, rounded up. Zero means 1 second. Negative is an error.
	RetryAfter time.Duration

	// ErrorHandler responds to a request that Middleware did not admit; err is the error of
	// [Pool.Admit]. If it is a [*ShedError], Retry-After is already set. Nil means 503 and a line
	// of text.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, err error)

	// Panic is called with the value and the stack of a task of Do or Use that panicked after its
	// caller had left, on the goroutine that ran the task, whose worker becomes free when Panic has
	// returned. It is also called when Event panics, or Failed or Worn of a [ResourceConfig]. Nil
	// means that package log prints them.
	Panic func(v any, stack []byte)

	// Event is called when a worker has been added or removed, and when a resource has been opened,
	// replaced or closed, or has failed. Several goroutines may call it at once. It may call
	// methods of the pool, except Shutdown and Restart, which would wait for it. It should return
	// soon, since a resource is used only after ResourceOpened has been reported. Nil means that
	// there is nothing to do.
	Event func(Event)
}

// A Policy determines which worker a call waits for.
type Policy uint8

const (
	// Shared is one queue for all workers: a call waits for the first worker that is free, so none
	// waits behind a slow task while another worker is idle.
	Shared Policy = iota

	// RoundRobin is a queue for each worker. Calls are assigned to the workers in turn, even if one
	// is at work and another is idle. Servers with a pipe to each worker process work like this;
	// RoundRobin exists for comparison with Shared.
	RoundRobin
)

func (p Policy) String() string {
	switch p {
	case Shared:
		return "Shared"
	case RoundRobin:
		return "RoundRobin"
	}
	return fmt.Sprintf("Policy(%d)", uint8(p))
}

// resolve checks c and replaces zero values with the defaults. It takes c by value, so the caller's
// Config is not modified.
func (c Config) resolve() (Config, error) {
	switch {
	case c.Workers < 0:
		return c, fmt.Errorf("offload: Workers is %d, want zero (the default) or more", c.Workers)
	case c.Timeout < 0:
		return c, fmt.Errorf("offload: Timeout is %v, want zero (no limit) or more", c.Timeout)
	case c.RetryAfter < 0:
		return c, fmt.Errorf("offload: RetryAfter is %v, want zero (the default) or more", c.RetryAfter)
	case c.Policy != Shared && c.Policy != RoundRobin:
		return c, fmt.Errorf("offload: Policy is %v, want Shared or RoundRobin", c.Policy)
	}
	if err := c.Slots.check(); err != nil {
		return c, err
	}
	c.Slots = maps.Clone(c.Slots)
	if c.Workers == 0 {
		c.Workers = max(runtime.GOMAXPROCS(0)-1, 1)
	}
	if c.MaxWorkers == 0 {
		c.MaxWorkers = max(c.Workers, defaultMaxWorkers)
	}
	if c.MaxWorkers < c.Workers {
		return c, fmt.Errorf("offload: MaxWorkers is %d, less than Workers, which is %d", c.MaxWorkers, c.Workers)
	}
	if c.Queue == 0 {
		c.Queue = defaultQueue
	}
	c.Queue = max(c.Queue, 0)
	if c.Wait == 0 {
		c.Wait = defaultWait
	}
	if c.RetryAfter == 0 {
		c.RetryAfter = defaultRetryAfter
	}
	if c.ErrorHandler == nil {
		c.ErrorHandler = unavailable
	}
	if c.Panic == nil {
		c.Panic = func(v any, stack []byte) {
			log.Printf("offload: panic where nobody waits for the result: %v\n%s", v, stack)
		}
	}
	return c, nil
}

// patience returns how long a call may wait for a worker, and whether there is a limit.
func (c *Config) patience() (d time.Duration, limited bool) {
	switch {
	case c.Wait < 0:
		return c.Timeout, c.Timeout > 0
	case c.Timeout > 0:
		return min(c.Wait, c.Timeout), true
	}
	return c.Wait, true
}
