package pool

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned for jobs submitted after Shutdown or Close.
	ErrClosed = errors.New("pool: closed")

	// ErrFull is returned by TrySubmit when the queue is full.
	ErrFull = errors.New("pool: queue is full")
)

// A ShutdownError is returned by Shutdown when its context ends before the pool's work does. It
// wraps the context's error.
type ShutdownError struct {
	Queued  int   // jobs waiting for a worker
	Busy    int   // jobs at work
	Leading bool  // Lead has not returned
	Err     error // the context's error
}

func (e *ShutdownError) Error() string {
	leader := ""
	if e.Leading {
		leader = ", Lead has not returned"
	}
	return fmt.Sprintf("pool: shutdown: %d jobs queued, %d at work%s: %v", e.Queued, e.Busy, leader, e.Err)
}

func (e *ShutdownError) Unwrap() error { return e.Err }
