package pool

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/recycling-go/recycling/core/internal/permits"
)

// A Group is a set of pools with one common limit on workers: see [Config.Group]. The zero value is
// a group without pools. A Group must not be copied.
//
// A pool of a group has its own queue and its own workers. It helps the others in two ways:
//
//   - A pool that needs a worker and has none idle takes one that is idle in another pool, which
//     then belongs to it. Only if there is none does it start one.
//   - While Max workers are at work, the pools with waiting jobs take turns: a worker of any pool
//     that finishes a job continues with the oldest job of the pool whose turn it is.
//
// It follows that
//
//   - no job waits while fewer than Max workers of the group are at work;
//   - no pool waits for more than one job of each of the others before a worker runs one of its
//     own, however many workers the others have obtained;
//   - jobs of one pool start in the order in which they arrived.
//
// An idle worker counts for its own pool only, so for a while after a peak the pools may together
// have more workers than Max. These are not at work.
//
// While a pool has idle workers, and fewer than Max workers are at work, its jobs lock no mutex but
// the pool's own, and write no memory that belongs to another pool or to the Group: a pool keeps
// the permits that its workers return, up to the number that it needed at its peak.
type Group[T any] struct {
	permits *permits.Set               // Max of them: one for each worker at work, or about to be
	pools   atomic.Pointer[[]*Pool[T]] // nil before the first; the slice does not change
	waiting atomic.Int64               // the length of queue
	paused  atomic.Int64               // jobs of all pools that are paused

	_ [64]byte // so that reading the above is not slowed down by writes to the following

	// mu guards the following, and changes of the above. It may be locked while a pool's mutex is
	// held, but not the other way round.
	mu      sync.Mutex
	max     int        // Max of all pools, set by the first
	pauses  int        // MaxPaused of all pools, likewise
	standby int        // Standby of all pools, likewise
	queue   []*Pool[T] // pools with jobs that wait for a permit, in the order of their turns
}

// add adds p to g.
func (g *Group[T]) add(p *Pool[T]) error {
	g.mu.Lock()
	all := g.allLocked()
	if g.permits == nil {
		g.permits = permits.New(int64(p.c.Max))
		g.max, g.pauses = p.c.Max, p.c.MaxPaused
	}
	if len(all) == 0 {
		g.standby = p.c.Standby
	}
	if p.c.Max != g.max || p.c.Standby != g.standby || p.c.MaxPaused != g.pauses {
		err := fmt.Errorf("pool: Max is %d, Standby is %d and MaxPaused is %d, want %d, %d and %d as in the Group",
			p.c.Max, p.c.Standby, p.c.MaxPaused, g.max, g.standby, g.pauses)
		g.mu.Unlock()
		return err
	}
	p.permits = g.permits.Share()
	all = append(slices.Clone(all), p)
	g.pools.Store(&all)
	g.divideStandbyLocked()
	g.mu.Unlock()
	for _, p := range all { // some of their workers may be surplus now
		p.mu.lock()
		p.trimLaterLocked()
		p.mu.Unlock()
	}
	return nil
}

// Overdrawn returns by how many the workers at work exceed Max, because jobs have resumed.
func (g *Group[T]) Overdrawn() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.permits == nil {
		return 0
	}
	return g.permits.Debt()
}

// remove removes p, which no longer has workers, from g.
func (g *Group[T]) remove(p *Pool[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.allLocked()
	if i := slices.Index(all, p); i >= 0 {
		all = slices.Delete(slices.Clone(all), i, i+1)
		g.pools.Store(&all)
		g.divideStandbyLocked()
		p.permits.GiveBack()
	}
}

// allLocked returns the pools.
func (g *Group[T]) allLocked() []*Pool[T] {
	if all := g.pools.Load(); all != nil {
		return *all
	}
	return nil
}

// divideStandbyLocked divides standby among the pools.
func (g *Group[T]) divideStandbyLocked() {
	all := g.allLocked()
	n := len(all)
	for i, p := range all {
		p.standby.Store(int64(g.standby/n + (g.standby%n+i)/n)) // (g.standby+i)/n might overflow
	}
}

// adoptLocked takes an idle worker from another pool of p's group, or returns nil. It passes over a
// pool whose mutex is locked: two pools that waited for each other's mutex would wait forever, and
// starting a worker takes less time than waiting.
func (p *Pool[T]) adoptLocked() *worker[T] {
	if p.c.Group == nil {
		return nil
	}
	all := *p.c.Group.pools.Load()
	own := slices.Index(all, p)
	for i := range all { // starting with the next one, so that not all pools take from the first
		other := all[(own+1+i)%len(all)]
		if other == p || !other.mu.TryLock() {
			continue
		}
		w := other.popIdleLocked()
		if w != nil {
			other.workers--
			w.pool = p
		}
		other.mu.Unlock()
		if w != nil {
			return w
		}
	}
	return nil
}

// giveLocked gives surplus idle workers of p to pools of its group that keep fewer than they may,
// perhaps because p has adopted theirs. It returns those that are left. Like adoptLocked, it passes
// over a pool whose mutex is locked.
func (p *Pool[T]) giveLocked(surplus []*worker[T]) []*worker[T] {
	if p.c.Group == nil {
		return surplus
	}
	for _, other := range *p.c.Group.pools.Load() {
		if other == p || !other.mu.TryLock() {
			continue
		}
		n := 0
		if other.state == open {
			n = min(int(other.standby.Load())-len(other.idle), other.maxWorkers-other.workers, len(surplus))
		}
		if n > 0 {
			given := surplus[len(surplus)-n:]
			surplus = surplus[:len(surplus)-n]
			for _, w := range given {
				w.pool = other
			}
			p.workers -= n
			other.workers += n
			other.idle = slices.Insert(other.idle, 0, given...)
		}
		other.mu.Unlock()
	}
	return surplus
}

// groupFull reports whether Max workers of p's group are at work.
func (p *Pool[T]) groupFull() bool { return !p.permits.Available() }

// tryAcquire takes a permit for a worker of p, and reports whether one was available.
func (p *Pool[T]) tryAcquire() bool { return p.permits.Take(1) == 1 }

// acquireLocked makes sure that w has a permit, and reports whether it does. If not, its pool is in
// the group's queue.
func (w *worker[T]) acquireLocked() bool {
	for !w.permit {
		if w.permit = w.pool.tryAcquire(); !w.permit && w.pool.awaitPermitLocked() {
			return false
		}
	}
	return true
}

// awaitPermitLocked puts p into its group's queue, and reports whether it has to wait there. A
// worker that releases a permit looks at the queue afterwards, and p looks for a permit after
// joining the queue, so that one of the two sees the other.
func (p *Pool[T]) awaitPermitLocked() bool {
	p.c.Group.enqueue(p)
	return p.groupFull()
}

// enqueue puts p at the end of the queue, unless it is in the queue already.
func (g *Group[T]) enqueue(p *Pool[T]) {
	if p.inGroupQueue.Load() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !p.inGroupQueue.Load() {
		p.inGroupQueue.Store(true)
		g.queue = append(g.queue, p)
		g.waiting.Add(1)
	}
}

// dequeue removes the pool whose turn it is from the queue and returns it, or nil if there is none.
// The caller must take care of its jobs.
func (g *Group[T]) dequeue() *Pool[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		return nil
	}
	p := g.queue[0]
	g.queue = slices.Delete(g.queue, 0, 1)
	p.inGroupQueue.Store(false)
	g.waiting.Add(-1)
	return p
}

// othersWait reports whether jobs of other pools wait for a permit.
func (p *Pool[T]) othersWait() bool {
	g := p.c.Group
	if g == nil {
		return false
	}
	n := g.waiting.Load()
	return n > 1 || n == 1 && !p.inGroupQueue.Load()
}

// takeFromOthersLocked has w, a worker of p, take a job of the pool whose turn it is, if pools
// other than p wait and w has a permit or gets one. If that requires releasing the mutex, it wakes
// submitter, and woken is true.
func (w *worker[T]) takeFromOthersLocked(submitter *waiter[T]) (job T, ok, woken bool) {
	p := w.pool
	if p.state != open || !p.othersWait() || !w.permit && !p.tryAcquire() {
		return job, false, false
	}
	w.permit = true
	g := p.c.Group
	if p.queuedLocked() > 0 {
		g.enqueue(p) // behind the others
	}
	p.mu.Unlock()
	submitter.wake()
	for !ok {
		other := g.dequeue()
		if other == nil {
			break
		}
		job, ok = other.lend()
	}
	p.mu.lock()
	if ok {
		p.lent--
		p.setWorkingLocked(w)
	}
	return job, ok, true
}

// lend takes p's oldest job for a worker of another pool, and reports whether there was one.
func (p *Pool[T]) lend() (job T, ok bool) {
	p.mu.lock()
	if p.state != closed {
		job, ok = p.dequeueLocked()
	}
	if ok {
		p.lent++
	}
	submitter := p.admitLocked()
	picked := p.pickWorkerLocked() // if there are more jobs, p may join the queue again
	p.finishLocked()
	p.mu.Unlock()
	submitter.wake()
	picked.wake()
	return job, ok
}

// releaseLocked releases w's permit. If it returns true, a pool may be waiting for one that is free
// now: the caller must take a job of that pool, or call wakePools.
func (w *worker[T]) releaseLocked() bool {
	if !w.permit {
		return false
	}
	w.permit = false
	w.pool.permits.Put(1)
	return w.pool.permitWantedLocked()
}

// permitWantedLocked reports whether there is a free permit and a pool that may be waiting for one.
func (p *Pool[T]) permitWantedLocked() bool {
	return p.c.Group.waiting.Load() > 0 && !p.groupFull()
}

// wakePools has the pools in the queue wake workers, while there are permits. The caller must not
// hold a mutex.
func (g *Group[T]) wakePools() {
	for g.waiting.Load() > 0 {
		p := g.dequeue()
		if p == nil {
			return
		}
		p.mu.lock()
		picked := p.pickWorkerLocked() // nil if p has joined the queue again
		full := p.groupFull()
		p.mu.Unlock()
		picked.wake()
		if full {
			return
		}
	}
}

// checkGroup returns an error if c has an option that does not work in a group.
func (c *Config[T]) checkGroup() error {
	if c.Group != nil && c.Queue != 0 {
		return errors.New("pool: Queue and Group are both set, want one of them")
	}
	return nil
}
