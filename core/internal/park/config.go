package park

import (
	"sync/atomic"
	"time"
)

// A Config holds what a Set needs to know about its server.
type Config struct {
	// Parks says whether the Set accepts and parks connections. A Set that does not park has no
	// descriptor, and knows only connections accepted elsewhere.
	Parks bool
	// Full reports whether accepting must pause for a moment. If nil, it never pauses.
	Full func() bool
	// FreeDescriptor closes a connection, so that its descriptor can be used for a new one, and
	// reports whether it found one to close. If nil, there is none.
	FreeDescriptor func() bool
	// Timeouts holds how long a connection may wait in each class; zero means no timeout.
	Timeouts [NumClasses]time.Duration
	// WriteStall is how long a write may make no progress; zero means no limit.
	WriteStall time.Duration
	// Logf reports system errors. It is called on a goroutine that nothing waits for, so it may
	// block, panic or call runtime.Goexit.
	Logf func(format string, args ...any)
	// Errors counts system errors. If nil, they are not counted.
	Errors *Errors
}

// Errors counts system errors that do not stop the server.
type Errors struct {
	// Accept counts errors in accepting. Accepting is retried, unless the error is final for the
	// listener.
	Accept atomic.Int64
	// Poll counts errors of epoll_pwait and epoll_ctl. An error of epoll_ctl ends one connection or
	// is retried.
	Poll atomic.Int64
}
