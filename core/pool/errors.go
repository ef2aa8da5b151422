package pool

import "errors"

var (
	// ErrClosed is returned for jobs that come after Shutdown or Close.
	ErrClosed = errors.New("pool: closed")

	// ErrFull is returned by TrySubmit when as many jobs wait as may.
	ErrFull = errors.New("pool: queue is full")
)
