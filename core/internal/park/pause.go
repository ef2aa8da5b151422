package park

import "time"

// A Ration lets ten log lines per second pass. The zero value is ready for use. It is not safe for
// concurrent use.
type Ration struct {
	since time.Time
	n     int
}

// Take reports whether another line may pass.
func (r *Ration) Take() bool {
	if now := time.Now(); now.Sub(r.since) >= time.Second {
		r.since, r.n = now, 0
	}
	r.n++
	return r.n <= 10
}

// FullPause is how long accepting pauses when there are too many connections.
const FullPause = 5 * time.Millisecond

// NextPause returns how long to pause accepting after an error, given the previous pause. It starts
// at 5 milliseconds, doubles, and is at most a second, as in net/http.
func NextPause(last time.Duration) time.Duration {
	return min(max(2*last, 5*time.Millisecond), time.Second)
}
