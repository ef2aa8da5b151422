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
