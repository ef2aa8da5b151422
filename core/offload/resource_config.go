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
	defaultCheckEvery = 10 * time.Second
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

	// Close closes a resource after it has failed or was replaced, and when its worker or the pool
	// stops. No task uses the resource then or later, and Worn is not called. Nil means that there
	// is nothing to do.
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

	// The following say when a resource is replaced although it has not failed. It stays in use
	// until the new one has been built, so no call waits or fails because of that. If the new one
	// cannot be built, the old one stays in use, and the next attempt is made after Backoff.

	// MaxAge is the age at which a resource is replaced. To spread the work, it is up to a tenth
	// less for each resource, at random. Zero means no limit. Negative is an error.
	MaxAge time.Duration

	// MaxTasks is the number of tasks after which a resource is replaced. It is up to a tenth less
	// for each resource, at random. Zero means no limit. Negative is an error.
	MaxTasks int

	// Worn returns why a resource should be replaced, such as that it uses too much memory, or nil.
	// It is called by the worker after each task, and every CheckEvery at any other time: then it
	// must not disturb a task that uses the resource. It should return soon. Nil means that there
	// is no such reason.
	Worn func(R) error

	// CheckEvery is the time between calls of Worn that follow no task. Zero means 10 seconds.
	// Negative means that Worn is called after tasks only.
	CheckEvery time.Duration

	// ReplaceAtOnce is how many resources are replaced at the same time, and so how many there may
	// be in addition to those of the workers. Zero means 1. Negative is an error.
	ReplaceAtOnce int

	// CloseFirst says that there cannot be more resources than workers, for example because the
	// memory of a GPU has no room for another model. Then a resource is closed before the new one
	// is built, and meanwhile there is one worker less, or ReplaceAtOnce less. Calls wait, within
	// their limits.
	CloseFirst bool
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
	case c.MaxAge < 0:
		return c, fmt.Errorf("offload: MaxAge is %v, want zero (no limit) or more", c.MaxAge)
	case c.MaxTasks < 0:
		return c, fmt.Errorf("offload: MaxTasks is %d, want zero (no limit) or more", c.MaxTasks)
	case c.ReplaceAtOnce < 0:
		return c, fmt.Errorf("offload: ReplaceAtOnce is %d, want zero (the default) or more", c.ReplaceAtOnce)
	case c.MaxBackoff < c.Backoff:
		return c, fmt.Errorf("offload: MaxBackoff is %v, less than Backoff, which is %v", c.MaxBackoff, c.Backoff)
	}
	if c.CheckEvery == 0 {
		c.CheckEvery = defaultCheckEvery
	}
	if c.ReplaceAtOnce == 0 {
		c.ReplaceAtOnce = 1
	}
	if c.Close == nil {
		c.Close = func(R) error { return nil }
	}
	if c.Failed == nil {
		c.Failed = func(err error) { log.Print(err) }
	}
	return c, nil
}
