package pool

import "errors"

var (
	// ErrClosed is the error for jobs that come after Shutdown or Close.
	ErrClosed = errors.New("pool: closed")

	// ErrFull is TrySubmit's error when as many jobs wait as may.
	ErrFull = errors.New("pool: queue is full")
)
