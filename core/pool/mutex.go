package pool

import (
	"sync"
	"sync/atomic"
)

// A mutex is a sync.Mutex that looks again a few times, ever less often, before it sleeps.
//
// The pool's mutex is held for a few dozen nanoseconds. sync.Mutex goes to sleep at once if other
// goroutines are ready to run, which with 16 goroutines submitting on 2 processors takes three
// times as long and more than three times the processor time. Looking again without a pause is no
// better: each look takes the cache line away from the goroutine that is at work.
type mutex struct{ sync.Mutex }

// Before the first look pause loads minPause times, before each further one twice as often as
// before the last. All together that is about two microseconds.
const (
	minPause = 256
	looks    = 4
)

func (m *mutex) lock() {
	if !m.TryLock() {
		m.lockSlow()
	}
}

func (m *mutex) lockSlow() {
	for i := range looks {
		pause(minPause << i)
		if m.TryLock() {
			return
		}
	}
	m.Lock()
}

// pause keeps the processor busy with n loads from its own stack.
func pause(n int) {
	var x atomic.Uint32 // a load that the compiler does not leave out
	for range n {
		x.Load()
	}
}
