package pool

import "errors"

var (
	// ErrClosed is returned for jobs submitted after Shutdown or Close.
	ErrClosed = errors.New("pool: closed")

	// ErrFull is returned by TrySubmit when the queue is full.
	ErrFull = errors.New("pool: queue is full")
)
