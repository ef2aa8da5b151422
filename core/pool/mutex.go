package pool

import (
	"sync"
	"sync/atomic"
)

// A mutex is a sync.Mutex that spins a few times, at growing intervals, before it sleeps.
//
// The pool's mutex is held for a few dozen nanoseconds. A sync.Mutex sleeps at once if other
// goroutines are ready to run, which with 16 goroutines submitting on 2 processors takes three
// times as long and more than three times the processor time. Spinning without a pause is no
// better: each attempt takes the cache line away from the goroutine that is at work.
type mutex struct{ sync.Mutex }

// Before the first attempt pause does minPause loads, and twice as many before each further
// attempt. All together that takes about two microseconds.
const (
	minPause = 256
	attempts = 4
)

func (m *mutex) lock() {
	if !m.TryLock() {
		m.lockSlow()
	}
}

func (m *mutex) lockSlow() {
	for i := range attempts {
		pause(minPause << i)
		if m.TryLock() {
			return
		}
	}
	m.Lock()
}

// pause keeps the processor busy with n loads from its own stack.
func pause(n int) {
	var x atomic.Uint32 // a load that the compiler cannot optimize away
	for range n {
		x.Load()
	}
}
