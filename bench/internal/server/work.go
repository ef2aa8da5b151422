package server

import (
	"runtime"
	"sync"
	"time"
)

// roundsPerMS returns how many rounds of spin take a millisecond on an otherwise idle processor of
// this machine.
var roundsPerMS = sync.OnceValue(func() int {
	const rounds = 1 << 17 // about 0.2 ms: short enough to run undisturbed at least once
	best := time.Hour
	for range 40 {
		start := time.Now()
		spin(rounds)
		best = min(best, time.Since(start))
	}
	return int(rounds * time.Millisecond / max(best, 1))
})

// spin computes for a number of rounds.
func spin(rounds int) {
	x := uint64(88172645463325252)
	for range rounds {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	runtime.KeepAlive(x) // keeps the compiler from removing the loop
}
