package server

import (
	"runtime"
	"sync"
	"time"
)

// roundsPerMS is how many rounds of spin take a millisecond, on a processor of this machine that has nothing else to do.
var roundsPerMS = sync.OnceValue(func() int {
	const rounds = 1 << 17 // some 0.2 ms: short enough to be left alone by others once in a while
	best := time.Hour
	for range 40 {
		start := time.Now()
		spin(rounds)
		best = min(best, time.Since(start))
	}
	return int(rounds * time.Millisecond / max(best, 1))
})

// spin computes.
func spin(rounds int) {
	x := uint64(88172645463325252)
	for range rounds {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	runtime.KeepAlive(x) // or the compiler would leave it all out
}
