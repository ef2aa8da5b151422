package offload

import (
	"math"
	"slices"
	"time"
)

// A waitQueue is a queue of calls together with the idle workers that serve it. While a worker is
// idle, the only calls that wait are those that wait for slots. All of it is guarded by the pool's
// mutex.
type waitQueue struct {
	// idle is a stack: the last worker became idle last, and what it owns is still in the caches.
	idle []*worker
	// first and last are the ends of the list of calls that need no slots, oldest first. Those that
	// need some are in the lists of their slots.
	first, last *call
	waiting     int // calls, with or without slots
}

// popIdle removes and returns the worker that became idle last, or nil.
func (q *waitQueue) popIdle() *worker {
	n := len(q.idle) - 1
	if n < 0 {
		return nil
	}
	w := q.idle[n]
	q.idle = q.idle[:n]
	return w
}

func (q *waitQueue) removeIdle(w *worker) {
	i := slices.Index(q.idle, w)
	q.idle = slices.Delete(q.idle, i, i+1)
}

// push inserts c behind the calls that have waited longer, which are mostly all others.
func (q *waitQueue) push(c *call) {
	before := q.last
	for before != nil && before.number > c.number {
		before = before.prev
	}
	c.prev = before
	if before == nil {
		c.next, q.first = q.first, c
	} else {
		c.next, before.next = before.next, c
	}
	if c.next == nil {
		q.last = c
	} else {
		c.next.prev = c
	}
}

func (q *waitQueue) remove(c *call) {
	if c.prev == nil {
		q.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		q.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
}

// nextQueueLocked returns the queue for a new call.
func (p *pool) nextQueueLocked() *waitQueue {
	q := p.queues[p.next]
	p.next = (p.next + 1) % len(p.queues)
	return q
}

// enqueueLocked puts c at the end of q.
func (p *pool) enqueueLocked(q *waitQueue, c *call) {
	if d, limited := p.c.patience(); limited {
		now := time.Since(p.born)
		c.expires = now + min(d, math.MaxInt64-now)
	}
	p.numbered++
	c.number = p.numbered
	c.queue = q
	q.waiting++
	p.queued++
	if c.slots == nil {
		q.push(c)
	} else {
		p.claimLocked(c)
	}
}

// dequeueLocked removes c from its queue, or from the lists of its slots.
func (p *pool) dequeueLocked(c *call) {
	c.queue.waiting--
	p.queued--
	if c.slots == nil {
		c.queue.remove(c)
	} else {
		p.unclaimLocked(c.slots)
	}
	p.stopRestartsLocked()
}

// refuseAllLocked refuses every call that waits.
func (p *pool) refuseAllLocked() {
	for _, q := range p.queues {
		for q.first != nil {
			p.refuseLocked(q.first, refused)
		}
	}
	for i := range p.slots {
		for s := p.slots[i]; s.first != nil; {
			p.refuseLocked(s.first.call, refused)
		}
	}
}

// firstLocked returns the call in q that has waited longest, of those that now need only a worker,
// or nil. It refuses calls that have waited too long: their own timers may fire late when the
// processors are busy.
func (p *pool) firstLocked(q *waitQueue) *call {
	for q.waiting > 0 {
		c := q.first
		if len(p.slots) > 0 {
			c = p.firstOfSlotsLocked(q, c)
		}
		if c == nil || c.expires == 0 || time.Since(p.born) < c.expires {
			return c
		}
		p.refuseLocked(c, late)
	}
	return nil
}

// dispatchLocked gives idle workers to calls that now need only a worker, and ends the workers that
// a stopped pool no longer needs.
func (p *pool) dispatchLocked() {
	for p.recheck { // set again if a call was refused or begins, which may let others begin
		p.recheck = false
		for c := p.nextLocked(); c != nil; c = p.nextLocked() {
			p.dequeueLocked(c)
			p.laterLocked(p.giveLocked(c, c.queue.popIdle()))
		}
	}
	if p.state != open {
		for _, q := range p.queues {
			for q.waiting == 0 && len(q.idle) > 0 {
				p.laterLocked(p.freeLocked(q.popIdle()))
			}
		}
	}
	p.recheck = false
}

// nextLocked returns the call that has waited longest, of those that now need only a worker and are
// in a queue with an idle one, or nil.
func (p *pool) nextLocked() (next *call) {
	for _, q := range p.queues {
		if len(q.idle) > 0 {
			if c := p.firstLocked(q); c != nil && (next == nil || c.number < next.number) {
				next = c
			}
		}
	}
	return next
}
