package pool

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// A Group is a set of pools with one common limit on workers: see [Config.Group]. The zero value is
// a group without pools. A Group must not be copied.
//
// A pool of a group has its own queue and its own workers, and shares only two counters with the
// others as long as fewer than Max workers are at work. Once Max workers are at work, the pools
// with waiting jobs take turns: a worker of any pool that finishes a job continues with the oldest
// job of the pool whose turn it is. It follows that
//
//   - no job waits while fewer than Max workers of the group are at work;
//   - no pool waits for more than one job of each of the others before a worker runs one of its
//     own, however many workers the others have obtained;
//   - jobs of one pool start in the order in which they arrived.
//
// An idle worker counts for its own pool only, so for a while after a peak the pools may together
// have more workers than Max. These are not at work.
type Group[T any] struct {
	working atomic.Int64 // units taken: workers at work, or about to be
	waiting atomic.Int64 // the length of line

	_ [64]byte // so that reading the above is not slowed down by writes to the following

	// mu guards the following. It may be locked while a pool's mutex is held, but not the other way
	// round.
	mu      sync.Mutex
	max     int // Max of all pools, set by the first
	standby int // Standby of all pools, likewise
	pools   []*Pool[T]
	line    []*Pool[T] // pools with jobs that wait for a unit, in the order of their turns
}

// join adds p to g.
func (g *Group[T]) join(p *Pool[T]) error {
	g.mu.Lock()
	if len(g.pools) == 0 {
		g.max, g.standby = p.c.Max, p.c.Standby
	}
	if p.c.Max != g.max || p.c.Standby != g.standby {
		err := fmt.Errorf("pool: Max is %d and Standby %d, want those of the Group, %d and %d", p.c.Max, p.c.Standby, g.max, g.standby)
		g.mu.Unlock()
		return err
	}
	g.pools = append(g.pools, p)
	g.shareLocked()
	all := slices.Clone(g.pools)
	g.mu.Unlock()
	for _, p := range all { // some of their workers may be surplus now
		p.mu.lock()
		p.trimLaterLocked()
		p.mu.Unlock()
	}
	return nil
}

// leave removes p, which no longer has workers, from g.
func (g *Group[T]) leave(p *Pool[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.pools, p); i >= 0 {
		g.pools = slices.Delete(g.pools, i, i+1)
		g.shareLocked()
	}
}

// shareLocked divides standby among the pools.
func (g *Group[T]) shareLocked() {
	for i, p := range g.pools {
		p.standby.Store(int64((g.standby + i) / len(g.pools)))
	}
}

// groupFull reports whether Max workers of p's group are at work.
func (p *Pool[T]) groupFull() bool { return p.c.Group.working.Load() >= int64(p.c.Max) }

// takeUnit takes a unit for a worker of p, and reports whether one was available.
func (p *Pool[T]) takeUnit() bool {
	g := p.c.Group
	for {
		n := g.working.Load()
		if n >= int64(p.c.Max) {
			return false
		}
		if g.working.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// unitLocked makes sure that w has a unit, and reports whether it does. If not, p is in line.
func (w *worker[T]) unitLocked() bool {
	for !w.unit {
		if w.unit = w.pool.takeUnit(); !w.unit && w.pool.fallInLocked() {
			return false
		}
	}
	return true
}

// fallInLocked puts p in line, and reports whether it has to wait there. A worker that gives back a
// unit looks at the line afterwards, and p looks for a unit after joining the line, so that one of
// the two sees the other.
func (p *Pool[T]) fallInLocked() bool {
	p.c.Group.fallIn(p)
	return p.groupFull()
}

func (g *Group[T]) fallIn(p *Pool[T]) {
	if p.inLine.Load() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !p.inLine.Load() {
		p.inLine.Store(true)
		g.line = append(g.line, p)
		g.waiting.Add(1)
	}
}

// next removes the pool whose turn it is from the line; nil if there is none. The caller must take
// care of its jobs.
func (g *Group[T]) next() *Pool[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.line) == 0 {
		return nil
	}
	p := g.line[0]
	g.line = slices.Delete(g.line, 0, 1)
	p.inLine.Store(false)
	g.waiting.Add(-1)
	return p
}

// othersWait reports whether jobs of other pools wait for a unit.
func (p *Pool[T]) othersWait() bool {
	g := p.c.Group
	if g == nil {
		return false
	}
	n := g.waiting.Load()
	return n > 1 || n == 1 && !p.inLine.Load()
}

// helpLocked has w, a worker of p, take a job of the pool whose turn it is, if pools other than p
// wait and w has a unit or gets one. If that requires releasing the mutex, it wakes in, if that is
// not nil, and told is true.
func (w *worker[T]) helpLocked(in *waiter[T]) (job T, ok, told bool) {
	p := w.pool
	if p.state != open || !p.othersWait() || !w.unit && !p.takeUnit() {
		return job, false, false
	}
	w.unit = true
	g := p.c.Group
	if p.queuedLocked() > 0 {
		g.fallIn(p) // behind the others
	}
	p.mu.Unlock()
	in.come()
	for !ok {
		other := g.next()
		if other == nil {
			break
		}
		job, ok = other.lend()
	}
	p.mu.lock()
	if ok {
		p.lent--
		p.workLocked(w)
	}
	return job, ok, true
}

// lend takes p's oldest job for a worker of another pool, and reports whether there was one.
func (p *Pool[T]) lend() (job T, ok bool) {
	p.mu.lock()
	if p.state != closed {
		job, ok = p.pullLocked()
	}
	if ok {
		p.lent++
	}
	in := p.admitLocked()
	call := p.callLocked() // if there are more jobs, p may get back in line
	p.finishLocked()
	p.mu.Unlock()
	in.come()
	call.come()
	return job, ok
}

// giveBackLocked gives back w's unit. If it returns true a pool may be waiting for one: the caller
// must look, or call passOn.
func (w *worker[T]) giveBackLocked() bool {
	if !w.unit {
		return false
	}
	w.unit = false
	g := w.pool.c.Group
	g.working.Add(-1)
	return g.waiting.Load() > 0
}

// passOn has the pools in line wake workers, while there are units. The caller must not hold a
// mutex.
func (g *Group[T]) passOn() {
	for g.waiting.Load() > 0 {
		p := g.next()
		if p == nil {
			return
		}
		p.mu.lock()
		call := p.callLocked() // nil if p is back in line
		full := p.groupFull()
		p.mu.Unlock()
		call.come()
		if full {
			return
		}
	}
}

// checkGroup returns an error if c has an option that does not work in a group.
func (c *Config[T]) checkGroup() error {
	if c.Group != nil && c.Queue != 0 {
		return errors.New("pool: Queue with Group, want one of them")
	}
	return nil
}
