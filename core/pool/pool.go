package pool

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Pool is a set of recycled workers and their queue. It is made by New, and
// its methods may be called from several goroutines at once, jobs included.
//
// A job is owned by the queue until a worker takes it, or Close does.
type Pool[T any] struct {
	c     Config[T] // resolved: never written to after New
	easy  int
	limit int           // how many jobs may be queued or inside Work before the queue is full
	most  int           // how many workers there may be: Max, and one to lead
	done  chan struct{} // closed by the last worker to end, or by who stops a pool without workers

	// attend tells workers to come to the mutex before they take another job:
	// somebody is to be let in, or the pool is closed.
	attend atomic.Bool

	_ [64]byte // what is written at every job shall not slow down the reading of what never is

	mu      sync.Mutex // guards following
	state   state
	coming  bool // a worker is on its way: no second one before it has arrived
	leading bool // a worker is inside Lead
	led     bool // Lead has returned an error
	jobs    ring[T]
	front   *front[T] // jobs that come before those of the ring; nil before there was one
	busy    int       // workers inside Work
	workers int       // all workers, those on their way included
	waiters waiters[T]
	idle    []*worker[T] // the last has been idle for the shortest time and is woken first
	trimmer trimmer
	spare   *front[T] // fronts without users
	batch   []T       // the leader's
	taken   uint64    // jobs that left the ring
	panics  uint64
	started uint64 // workers that ever were
}

// A state says which jobs a pool takes and does. It only ever moves forward, by setStateLocked.
type state int

const (
	// open: jobs are taken, and done.
	open state = iota
	// draining: jobs are taken from Lead and Push only; workers end when there is nothing to do.
	draining
	// closed: nothing is begun. What Lead still brings stays queued until Close is called again.
	closed
)

// New returns a pool that works as c says. Without Lead it has no worker before the
// first job comes. A pool that is no longer needed must be ended by Shutdown or Close.
func New[T any](c Config[T]) (*Pool[T], error) {
	c, err := c.resolve()
	if err != nil {
		return nil, err
	}
	p := &Pool[T]{c: c, limit: c.Queue + c.Max, most: c.Max, done: make(chan struct{})}
	p.trimmer.standby = c.Standby
	if c.Lead != nil {
		p.most++
	}
	p.easy = p.limit - frontSize
	p.lock()
	w := p.callLocked()
	p.mu.Unlock()
	w.come()
	return p, nil
}

// spins is how often lock looks at a mutex that is taken before it queues up for it.
const spins = 50

// lock locks p.mu. The mutex is only ever held for a few dozen nanoseconds, so that looking again
// is much cheaper than going to sleep, which is what sync.Mutex does as soon as there are
// other goroutines to run: with 16 goroutines on 2 processors
// it takes twice as long without this.
func (p *Pool[T]) lock() {
	if !p.mu.TryLock() {
		p.lockSlow()
	}
}

func (p *Pool[T]) lockSlow() {
	for range spins {
		if p.mu.TryLock() {
			return
		}
	}
	p.mu.Lock()
}

// queuedLocked returns how many jobs wait for a worker.
func (p *Pool[T]) queuedLocked() int { return p.jobs.len() + p.front.left() }

// fullLocked reports whether no more job may be submitted. Jobs for which a worker is free
// or may be added do not count: they are not going to wait.
func (p *Pool[T]) fullLocked() bool {
	if p.jobs.len()+p.busy+frontSize < p.limit {
		return false // and the workers' cache line was not asked for
	}
	return p.queuedLocked()+p.busy >= p.limit
}

// mayLeadLocked reports whether somebody should lead, and nobody does.
func (p *Pool[T]) mayLeadLocked() bool {
	return p.c.Lead != nil && !p.leading && !p.led && p.state != closed
}

// callLocked finds the worker that has to come, if one has: there is a job that may be done or nobody
// leads, and nobody is on the way. That is the most recently idle one, or a new one. The caller
// must call its come method when it has unlocked the mutex.
//
// Everything that leaves something to do, or a slot free, ends in a call of callLocked under the
// same lock. That is why the last standby cannot go to work without another coming.
func (p *Pool[T]) callLocked() *worker[T] {
	if p.coming || p.state == closed {
		return nil
	}
	if !p.mayLeadLocked() && (p.busy >= p.c.Max || p.queuedLocked() == 0) {
		return nil
	}
	var w *worker[T]
	switch last := len(p.idle) - 1; {
	case last >= 0:
		w = p.idle[last]
		p.idle[last] = nil
		p.idle = p.idle[:last]
		p.trimmer.least = min(p.trimmer.least, last)
	case p.workers < p.most:
		w = &worker[T]{pool: p, wake: make(chan struct{}, 1)}
		p.workers++
		p.started++
	default:
		return nil
	}
	p.coming = true
	w.called = true
	return w
}

// pickLocked takes the oldest job for w, if there is one and w may work.
// If there are more, they are laid out for w and the others to take without the mutex.
func (p *Pool[T]) pickLocked(w *worker[T]) (job T, ok bool) {
	if p.busy >= p.c.Max || p.state == closed {
		return job, false
	}
	if p.front.left() > 0 {
		if job, ok = p.front.take(); ok {
			p.busy++
			w.useLocked(p.front)
			return job, true
		}
	}
	if p.jobs.len() == 0 {
		return job, false
	}
	job = p.jobs.pop()
	p.taken++
	p.busy++
	if p.jobs.len() > 0 {
		p.layOutLocked()
		w.useLocked(p.front)
	}
	return job, true
}

// layOutLocked moves jobs from the ring to the front, which must be used up.
func (p *Pool[T]) layOutLocked() {
	f := p.front
	if f == nil || f.users > 0 {
		if f = p.spare; f != nil {
			p.spare, f.spare = f.spare, nil
		} else {
			f = new(front[T])
		}
		p.front = f
	}
	n := p.jobs.move(f.jobs[:])
	f.turn.size = uint32(n)
	f.turn.next.Store(0)
	p.taken += uint64(n)
}

// setStateLocked is the only function that changes p.state.
func (p *Pool[T]) setStateLocked(to state) {
	if to <= p.state {
		return
	}
	p.state = to
	p.trimmer.stop()
	p.refuseLocked()
	for _, w := range p.idle {
		w.wake <- struct{}{} // never blocks: see worker.wake
	}
	p.idle = nil
	if p.workers == 0 {
		p.endLocked()
	}
}

// endLocked closes p.done, once.
func (p *Pool[T]) endLocked() {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
}

var _ = time.Now
