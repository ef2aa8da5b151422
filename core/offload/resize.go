package offload

import (
	"errors"
	"fmt"
	"slices"
)

// ErrWorkers reports that a pool cannot have so few or so many workers.
var ErrWorkers = errors.New("offload: number of workers is out of range")

// Resize adds by workers, or removes -by workers if by is negative, and returns the new number of
// workers. It does not wait: if too few workers are idle, it removes those whose tasks return
// first, and until then they count towards [Config.MaxWorkers]. Under [RoundRobin], the calls that
// wait for a worker that is removed are assigned to others.
//
// If the number would be less than one or more than MaxWorkers, the error wraps [ErrWorkers] and
// nothing changes. If p is stopped, the error wraps [ErrClosed]. On error, workers is the present
// number.
func (p *Pool) Resize(by int) (workers int, err error) { return p.resize(by) }

func (p *pool) resize(by int) (workers int, err error) {
	p.mu.Lock()
	defer func() { p.unlock(nil) }()
	workers = p.stayingLocked()
	most := p.c.MaxWorkers
	switch {
	case p.state != open:
		return workers, p.closed
	case by < 1-workers, by > most-workers:
		return workers, fmt.Errorf("%w: %d workers and %d more, want 1 to %d", ErrWorkers, workers, by, most)
	}
	// Workers that have not ended yet can stay after all.
	if excess := len(p.workers) + by - p.keepableLocked() - most; by > 0 && excess > 0 {
		return workers, fmt.Errorf("%w: %d workers, %d that are still ending, and %d more, want 1 to %d", ErrWorkers, workers, p.leaving, by, most)
	}
	for range by {
		p.growLocked()
	}
	for range -by {
		p.shrinkLocked()
	}
	p.renewLocked()
	p.recheck = true
	return workers + by, nil
}

// stayingLocked counts the workers that are not leaving.
func (p *pool) stayingLocked() int { return len(p.workers) - p.leaving }

// leavesLocked reports whether w, which has nothing to do, has to end because of Resize. If w was
// to stay it takes the place of one that was to leave but is still at work, unless it has a queue
// of its own.
func (p *pool) leavesLocked(w *worker) bool {
	if w.leaving || p.c.Policy == RoundRobin {
		return w.leaving
	}
	i := slices.IndexFunc(p.workers, keepable)
	if i < 0 {
		return false
	}
	p.workers[i].leaving = false
	w.leaving = true
	return true
}

// keepable reports whether w was to leave, but can stay.
func keepable(w *worker) bool { return w.leaving && w.stage == working }

func (p *pool) keepableLocked() (n int) {
	for _, w := range p.workers {
		if keepable(w) {
			n++
		}
	}
	return n
}

// growLocked adds a worker: one that was to leave, or else a new one.
func (p *pool) growLocked() {
	p.eventLocked(Event{Kind: WorkerAdded})
	if i := slices.IndexFunc(p.workers, keepable); i >= 0 {
		w := p.workers[i]
		w.leaving = false
		p.leaving--
		if p.c.Policy == RoundRobin {
			p.queues = append(p.queues, w.queue)
		}
		return
	}
	w := p.addWorkerLocked()
	p.tasks.Resize(len(p.workers))
	if p.supervisor != nil {
		p.laterLocked(func() { p.supervisor.restart(w) })
	} else {
		p.laterLocked(p.freeLocked(w))
	}
}

// shrinkLocked removes the worker whose end costs least: one whose resource is not ready, or else
// an idle one.
func (p *pool) shrinkLocked() {
	var w *worker
	for _, stage := range []stage{restarting, idle, working} {
		i := slices.IndexFunc(p.workers, func(w *worker) bool { return !w.leaving && w.stage == stage })
		if i >= 0 {
			w = p.workers[i]
			break
		}
	}
	w.leaving = true
	p.leaving++
	if p.c.Policy == RoundRobin {
		p.redistributeLocked(w.queue)
	}
	switch w.stage {
	case idle:
		p.reassignLocked(w)
	case restarting:
		if w.cancel != nil {
			w.cancel()
		}
	}
}

// redistributeLocked removes a queue, and assigns its calls to others in turn.
func (p *pool) redistributeLocked(q *waitQueue) {
	i := slices.Index(p.queues, q)
	p.queues = slices.Delete(p.queues, i, i+1)
	if p.next > i {
		p.next--
	}
	p.next %= len(p.queues)
	for c := q.first; c != nil; c = q.first {
		q.remove(c)
		to := p.moveLocked(c)
		to.push(c)
	}
	for i := range p.slots {
		for e := p.slots[i].first; e != nil; e = e.next {
			if e.call.queue == q {
				p.moveLocked(e.call)
			}
		}
	}
}

// moveLocked assigns a call that waits to another queue, which it returns.
func (p *pool) moveLocked(c *call) *waitQueue {
	c.queue.waiting--
	c.queue = p.nextQueueLocked()
	c.queue.waiting++
	return c.queue
}
