package park

import "time"

// FullPause is how long accepting pauses when there are too many connections.
const FullPause = 5 * time.Millisecond

// NextPause returns how long to pause accepting after an error, given the previous pause. It starts
// at 5 milliseconds, doubles, and is at most a second, as in net/http.
func NextPause(last time.Duration) time.Duration {
	return min(max(2*last, 5*time.Millisecond), time.Second)
}
