package child

import (
	"errors"
	"fmt"
	"time"
)

// memoryEvery is how often the memory of a child is measured at most, because that takes longer
// than a short task.
const memoryEvery = 100 * time.Millisecond

// errPanicked has a child replaced after a task has panicked: what the task has left behind may be
// in any state. The child serves until its successor is ready, so that a client that can make a
// task panic cannot stop the others.
var errPanicked = errors.New("child: a task has panicked in the child")

// worn returns why the child should be replaced although it has not failed, or nil. It may be
// called at any time.
func (p *Process) worn(maxMemory int64) error {
	if p.panicked.Load() {
		return errPanicked
	}
	if maxMemory == 0 {
		return nil
	}
	now, last := int64(time.Since(p.started)), p.measured.Load()
	if now-last < int64(memoryEvery) || !p.measured.CompareAndSwap(last, now) {
		return nil
	}
	// An error means that the child has ended, of which the worker learns in another way.
	if n, err := residentMemory(p.Pid()); err == nil && n > maxMemory {
		return fmt.Errorf("child: child %d has %d bytes of resident memory, more than MaxMemory, which is %d", p.Pid(), n, maxMemory)
	}
	return nil
}
