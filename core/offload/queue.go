package offload

import (
	"slices"
	"time"
)

// A waitQueue is a queue of calls together with the idle workers that serve it. At any time one of
// the two is empty. All of it is guarded by the pool's mutex.
type waitQueue struct {
	// idle is a stack: the last worker became idle last, and what it owns is still in the caches.
	idle        []*worker
	first, last *call
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

func (q *waitQueue) push(c *call) {
	c.queue, c.prev = q, q.last
	if q.last == nil {
		q.first = c
	} else {
		q.last.next = c
	}
	q.last = c
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
func (p *Pool) nextQueueLocked() *waitQueue {
	q := &p.queues[p.next]
	p.next = (p.next + 1) % len(p.queues)
	return q
}

// enqueueLocked puts c at the end of q.
func (p *Pool) enqueueLocked(q *waitQueue, c *call) {
	if d, limited := p.c.patience(); limited {
		c.expires = time.Now().Add(d)
	}
	q.push(c)
	p.queued++
}

// dequeueLocked removes c from its queue, wherever it is in it.
func (p *Pool) dequeueLocked(c *call) {
	c.queue.remove(c)
	p.queued--
	p.stopRestartsLocked()
}

// firstLocked returns the call in q that has waited longest, or nil. It refuses calls that have
// waited too long: their own timers may fire late when the processors are busy.
func (p *Pool) firstLocked(q *waitQueue) *call {
	for q.first != nil {
		c := q.first
		if c.expires.IsZero() || time.Now().Before(c.expires) {
			return c
		}
		p.refuseLocked(c, late)
	}
	return nil
}
