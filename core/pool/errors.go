package pool

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is the error for jobs that come after Shutdown or Close.
	ErrClosed = errors.New("pool: closed")

	// ErrFull is TrySubmit's error when as many jobs wait as may.
	ErrFull = errors.New("pool: queue is full")
)

// A ShutdownError is Shutdown's error when its context ended before the pool's work did. It wraps
// the context's.
type ShutdownError struct {
	Queued  int   // jobs that wait for a worker
	Busy    int   // jobs at work
	Leading bool  // Lead has not returned
	Err     error // the context's
}

func (e *ShutdownError) Error() string {
	leader := ""
	if e.Leading {
		leader = ", Lead has not returned"
	}
	return fmt.Sprintf("pool: shutdown: %d jobs queued, %d at work%s: %v", e.Queued, e.Busy, leader, e.Err)
}

func (e *ShutdownError) Unwrap() error { return e.Err }
