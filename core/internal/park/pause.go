package park

import "time"

// A Ration lets ten log lines pass in a second. The zero value is ready for use, by one goroutine at a time.
type Ration struct {
	since time.Time
	n     int
}

// Take reports whether another one may pass.
func (r *Ration) Take() bool {
	if now := time.Now(); now.Sub(r.since) >= time.Second {
		r.since, r.n = now, 0
	}
	r.n++
	return r.n <= 10
}

// FullPause is how long accepting rests when there are too many connections.
const FullPause = 5 * time.Millisecond

// NextPause returns how long accepting rests after an error, of how long it rested after the one before: 5 milliseconds
// at first, and a second at most, as in net/http.
func NextPause(last time.Duration) time.Duration {
	return min(max(2*last, 5*time.Millisecond), time.Second)
}
