package pool

import "sync/atomic"

// frontSize is how many jobs are laid out in the front of the queue at once. Enough to
// make the mutex rare, and few enough that a front is no memory to speak of.
const frontSize = 64

// A turnstile hands out the numbers below size, each once and in order, to as many goroutines as ask.
type turnstile struct {
	next atomic.Uint32 // the next number; beyond size: all are handed out
	size uint32        // written before the turnstile is shared
}

// pass returns the next number, and whether there was one.
func (t *turnstile) pass() (uint32, bool) {
	i := t.next.Add(1) - 1
	return i, i < t.size
}

// A front is the head of the queue, laid out so that busy workers take the next job with one
// atomic addition instead of the mutex. It stays everybody's: a job in it waits for the next
// worker that is free, whoever that is, exactly as in the ring behind it. (Workers that carry off
// a few jobs each would be as cheap, but a job would then wait behind a slow one.)
//
// A worker uses a front only while it is one of its users, which it becomes and ceases to be
// under the pool's mutex. A front without users may be laid out anew.
type front[T any] struct {
	turn  turnstile // who passes with i takes jobs[i]
	jobs  [frontSize]T
	users int       // guarded by the pool's mutex
	spare *front[T] // the next in the pool's list of spare ones; guarded by the pool's mutex
}

// take takes the oldest job, false if there is none. Only users may call it.
func (f *front[T]) take() (job T, ok bool) {
	i, ok := f.turn.pass()
	if !ok {
		return job, false
	}
	var zero T
	slot := &f.jobs[i%frontSize] // the remainder spares the check of bounds
	job, *slot = *slot, zero
	return job, true
}

// left returns how many jobs nobody has taken. The pool's mutex must be held; the users go on
// taking meanwhile.
func (f *front[T]) left() int {
	if f == nil {
		return 0
	}
	return int(f.turn.size - min(f.turn.next.Load(), f.turn.size))
}
