package engine

import (
	"sync/atomic"

	"github.com/recycling-go/recycling/core/internal/stack"
)

// A handler that leaves its goroutine locked to its thread, by runtime.LockOSThread, may have
// changed the thread: its namespaces, its user, its signal mask. Under net/http the thread ends
// with the goroutine of the connection. Here the worker ends, and the thread with it.
//
// Only a stack trace shows whether a goroutine is locked, and getting one takes more than a
// microsecond. Cheaper indications prove nothing: a goroutine that is not locked may stay on its
// thread for any time, and a locked one is scheduled like any other.

// lockedCheck is the number of turns after which a worker checks whether it is locked, unless it
// checks every time.
const lockedCheck = 64

// A lockWatch says whether the workers of a Server check every time.
type lockWatch struct {
	strict bool        // Server.StrictThreads
	found  atomic.Bool // a worker was found to be locked
}

// A lockCheck checks one worker.
type lockCheck struct {
	watch *lockWatch
	turns uint
	stack [64]byte // the beginning of a stack trace
}

// locked is called after a turn. It reports whether the calling goroutine is locked to its thread,
// and false if no check is due. New workers check more often, so that a handler which locks them
// now and then is found soon.
func (l *lockCheck) locked() bool {
	l.turns++
	w := l.watch
	powerOf2 := l.turns&(l.turns-1) == 0
	if !w.strict && !powerOf2 && l.turns%lockedCheck != 0 && !w.found.Load() {
		return false
	}
	if !stack.Locked(l.stack[:]) {
		return false
	}
	w.found.Store(true)
	return true
}
