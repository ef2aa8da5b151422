package pool

import "sync/atomic"

// frontSize is how many jobs a front holds: enough to make taking the mutex rare, and few enough
// that a front takes little memory.
const frontSize = 64

// A front is the head of the queue, laid out so that busy workers take the next job with one atomic
// addition instead of under the mutex. With a backlog of empty jobs this is what keeps them and the
// submitters from contending.
//
// It stays shared: whichever worker is free next starts a job in it, exactly as with a job in the
// ring behind it. It would be as cheap to give a few jobs to each worker, but then a job would wait
// behind a slow one, and start after younger ones.
//
// A front has users, the workers that may take from it without the mutex. They are added and
// removed under the mutex. A front without users may be refilled.
type front[T any] struct {
	turn  turnstile // the worker that passes with i owns jobs[i]
	jobs  [frontSize]T
	users int       // number of users; guarded by the pool's mutex
	spare *front[T] // next in the pool's list of spare fronts; guarded by the pool's mutex
}

// take takes the oldest job, and reports whether there was one. Only users may call it, and, for
// the current front, the holder of the mutex.
func (f *front[T]) take() (job T, ok bool) {
	i, ok := f.turn.pass()
	if !ok {
		return job, false
	}
	var zero T
	slot := &f.jobs[i%frontSize]
	job, *slot = *slot, zero // the slot must not keep the job from being collected
	return job, true
}

// seize takes all jobs that are left. The caller holds the mutex; users may call take concurrently.
func (f *front[T]) seize() []T {
	if f == nil {
		return nil
	}
	rest := f.jobs[f.turn.close():f.turn.size]
	jobs := append([]T(nil), rest...)
	clear(rest)
	return jobs
}

// left returns how many jobs are left. The caller holds the mutex; users may call take
// concurrently.
func (f *front[T]) left() int {
	if f == nil {
		return 0
	}
	return f.turn.left()
}

// A turnstile hands out the numbers below size, each once and in order, to any number of
// goroutines. (It is not generic, and so small, so that the compiler inlines all of it.)
type turnstile struct {
	next atomic.Uint32 // the next number; size or more: none left
	size uint32        // written before the turnstile is shared
}

// open starts again with size numbers. No call of pass may run concurrently.
func (t *turnstile) open(size int) {
	t.size = uint32(size)
	t.next.Store(0)
}

// pass returns the next number, and whether there was one.
func (t *turnstile) pass() (uint32, bool) {
	i := t.next.Add(1) - 1
	return i, i < t.size
}

// close takes all numbers that are left, from the returned one on.
func (t *turnstile) close() uint32 { return min(t.next.Swap(t.size), t.size) }

// left returns how many numbers are left.
func (t *turnstile) left() int { return int(t.size - min(t.next.Load(), t.size)) }
