package park

import "time"

// A Config says what a Set needs to know of its server.
type Config struct {
	// Parks says that connections are to be accepted and parked. A Set without that only knows
	// connections that came from elsewhere, and has no descriptor.
	Parks bool
	// Full reports whether accepting has to rest for a moment. Nil: never.
	Full func() bool
	// Enter reports whether a new connection may stay. If not, it is Enter's to close. Nil: all may.
	Enter func(*Conn) bool
	// Refuse answers a new connection for which the process has no descriptor but one that was kept for that, and
	// closes it at once.
	Refuse func(*Conn)
	// Timeouts are how long a connection may wait in each class; zero means forever.
	Timeouts [classes]time.Duration
	// Expire gets a connection that has waited too long. It is Expire's to close.
	Expire func(*Conn)
	// Removed is told of every connection that has come to its end, closed or detached.
	Removed func(*Conn)
	// Logf reports trouble with accepting.
	Logf func(format string, args ...any)
}
