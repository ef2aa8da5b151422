package pool

import "sync/atomic"

// frontSize is how many jobs are laid out in a front: enough to make the mutex rare, and few
// enough that a front is no memory to speak of.
const frontSize = 64

// A front is the head of the queue, laid out so that busy workers take the next job with one
// atomic addition and not under the mutex. With a backlog of empty jobs this is what keeps them
// and the submitters out of each other's way.
//
// It stays everybody's: a job in it is begun by whoever is free next, exactly as one in the ring
// behind it. Workers that carry off a few jobs each would be as cheap, but then a job would wait
// behind a slow one, and begin after younger ones.
//
// A front belongs to its users, the workers that may take from it without the mutex. They become
// and cease to be users under the mutex. One without users may be laid out anew.
type front[T any] struct {
	turn  turnstile // who passes with i has jobs[i]
	jobs  [frontSize]T
	users int       // guarded by the pool's mutex
	spare *front[T] // the next in the pool's list of spare ones; guarded by the pool's mutex
}

// take takes the oldest job, and reports whether there was one. It is for users, and for the
// current front under the mutex.
func (f *front[T]) take() (job T, ok bool) {
	i, ok := f.turn.pass()
	if !ok {
		return job, false
	}
	var zero T
	slot := &f.jobs[i%frontSize]
	job, *slot = *slot, zero // the collector shall not find it here
	return job, true
}

// seize takes all jobs that are left. The mutex must be held; users may be taking meanwhile.
func (f *front[T]) seize() []T {
	if f == nil {
		return nil
	}
	rest := f.jobs[f.turn.close():f.turn.size]
	jobs := append([]T(nil), rest...)
	clear(rest)
	return jobs
}

// left returns how many jobs are left. The mutex must be held; users may be taking meanwhile.
func (f *front[T]) left() int {
	if f == nil {
		return 0
	}
	return f.turn.left()
}

// A turnstile hands out the numbers below size, each once and in order, to as many goroutines as
// come. (Not generic, and so small, because the compiler then inlines all of it.)
type turnstile struct {
	next atomic.Uint32 // the next number; size or more: there are none left
	size uint32        // written before the turnstile is shared
}

// open starts again with size numbers. Nobody may pass meanwhile.
func (t *turnstile) open(size int) {
	t.size = uint32(size)
	t.next.Store(0)
}

// pass returns the next number, and whether there was one.
func (t *turnstile) pass() (uint32, bool) {
	i := t.next.Add(1) - 1
	return i, i < t.size
}

// close takes all numbers that are left, from the one it returns.
func (t *turnstile) close() uint32 { return min(t.next.Swap(t.size), t.size) }

// left returns how many numbers are left.
func (t *turnstile) left() int { return int(t.size - min(t.next.Load(), t.size)) }
