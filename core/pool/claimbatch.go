package pool

import "sync/atomic"

// claimBatchSize is how many jobs a claimBatch holds: enough to make taking the mutex rare, and few
// enough that a claimBatch takes little memory.
const claimBatchSize = 64

// A claimBatch is the front of the queue, laid out so that busy workers take the next job with one
// atomic addition instead of under the mutex. With a backlog of empty jobs this is what keeps them
// and the submitters from contending.
//
// It stays shared: whichever worker is free next starts a job in it, exactly as with a job in the
// ring behind it. It would be as cheap to give a few jobs to each worker, but then a job would wait
// behind a slow one, and start after younger ones.
//
// A claimBatch has users, the workers that may take from it without the mutex. They are added and
// removed under the mutex. A claimBatch without users may be refilled.
type claimBatch[T any] struct {
	cursor cursor // the worker that claims i owns jobs[i]
	jobs   [claimBatchSize]T
	users  int            // number of users; guarded by the pool's mutex
	spare  *claimBatch[T] // next in the pool's list of spare batches; guarded by the pool's mutex
}

// take takes the oldest job, and reports whether there was one. Only users may call it, and, for
// the current front, the holder of the mutex.
func (b *claimBatch[T]) take() (job T, ok bool) {
	i, ok := b.cursor.claim()
	if !ok {
		return job, false
	}
	var zero T
	slot := &b.jobs[i%claimBatchSize]
	job, *slot = *slot, zero // the slot must not keep the job from being collected
	return job, true
}

// drain removes and returns all jobs that are left. The caller holds the mutex; users may call take
// concurrently.
func (b *claimBatch[T]) drain() []T {
	if b == nil {
		return nil
	}
	rest := b.jobs[b.cursor.claimRest():b.cursor.size]
	jobs := append([]T(nil), rest...)
	clear(rest)
	return jobs
}

// len returns how many jobs are left. The caller holds the mutex; users may call take concurrently.
func (b *claimBatch[T]) len() int {
	if b == nil {
		return 0
	}
	return b.cursor.remaining()
}

// A cursor hands out the numbers below size, each once and in order, to any number of goroutines.
// (It is not generic, and so small, so that the compiler inlines all of it.)
type cursor struct {
	next atomic.Uint32 // the next number; size or more: none left
	size uint32        // written before the cursor is shared
}

// reset starts again with size numbers. No call of claim may run concurrently.
func (c *cursor) reset(size int) {
	c.size = uint32(size)
	c.next.Store(0)
}

// claim returns the next number, and whether there was one.
func (c *cursor) claim() (uint32, bool) {
	i := c.next.Add(1) - 1
	return i, i < c.size
}

// claimRest claims all numbers that are left, from the returned one on.
func (c *cursor) claimRest() uint32 { return min(c.next.Swap(c.size), c.size) }

// remaining returns how many numbers are left.
func (c *cursor) remaining() int { return int(c.size - min(c.next.Load(), c.size)) }
