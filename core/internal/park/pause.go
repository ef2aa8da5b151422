package park

import "time"

// A LogLimiter lets ten log lines per second pass. The zero value is ready for use. It is not safe
// for concurrent use.
type LogLimiter struct {
	since time.Time
	n     int
}

// Take reports whether another line may pass.
func (l *LogLimiter) Take() bool {
	if now := time.Now(); now.Sub(l.since) >= time.Second {
		l.since, l.n = now, 0
	}
	l.n++
	return l.n <= 10
}

// FullPause is how long accepting pauses when there are too many connections.
const FullPause = 5 * time.Millisecond

// NextPause returns how long to pause accepting after an error, given the previous pause. It starts
// at 5 milliseconds, doubles, and is at most a second, as in net/http.
func NextPause(last time.Duration) time.Duration {
	return min(max(2*last, 5*time.Millisecond), time.Second)
}
