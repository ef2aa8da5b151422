package pool

import (
	"math"
	"sync/atomic"
)

// A Pool is a set of recycled workers and the queue of their jobs. Use [New] to create one. Its
// methods may be called from several goroutines at once, and, except for Shutdown, from jobs.
//
// A job belongs to the queue until a worker takes it, or Pull or Close removes it.
type Pool[T any] struct {
	c     Config[T]     // resolved
	limit int           // the queue is full with this many jobs queued and at work
	most  int           // maximum number of workers: Max, and one more if there is Lead
	done  chan struct{} // closed when the pool was stopped and has no workers left

	// attend is set while a Submit waits to be admitted as soon as there is room. A worker that
	// makes room without the mutex, by taking a job from a front, then has to call letIn. Written
	// under the mutex.
	attend atomic.Bool

	standby atomic.Int64 // how many idle workers are kept; changes only in a group
	inLine  atomic.Bool  // p is in its group's line; written under the group's mutex

	_ [64]byte // so that reading the above is not slowed down by writes to the following

	mu      mutex // guards following
	ample   int   // with fewer jobs in the ring and at work there is room even if the front is full
	busy    int   // workers at work
	state   state
	coming  bool // a worker is being woken
	leading bool // a worker is inside Lead
	led     bool // Lead returned an error: no worker leads any more
	jobs    ring[T]
	front   *front[T] // jobs older than those in the ring; nil until first used

	workers int          // all of them, including those being woken or started
	idle    []*worker[T] // a stack: the last one became idle last
	waiters waiters[T]
	trimmer trimmer
	spare   *front[T] // a list of fronts without users
	batch   []T       // passed to Lead; the leader's
	pinned  []int     // number of workers on each of c.CPUs

	taken   uint64 // jobs that have left the ring for a worker or a front
	lent    int    // jobs taken by workers of other pools, minus jobs of others taken by p's
	panics  uint64
	started uint64 // workers started since New

	refusals atomic.Uint64 // not guarded by mu
	skips    atomic.Uint64
}

// A state says which jobs a pool still accepts and runs. It only moves forward.
type state uint8

const (
	// open: jobs are accepted and run.
	open state = iota
	// draining: jobs are accepted from Lead and Push only, and run. A worker with nothing to do
	// ends instead of standing by.
	draining
	// closed: no job is started. What Lead still returns stays queued for the next Close.
	closed
)

// New returns a pool with the configuration c. Workers are started when needed; with Lead one is
// started at once. A pool must be stopped with Shutdown or Close.
func New[T any](c Config[T]) (*Pool[T], error) {
	c, err := c.resolve()
	if err != nil {
		return nil, err
	}
	p := &Pool[T]{c: c, most: c.Max, done: make(chan struct{})}
	p.standby.Store(int64(c.Standby))
	p.c.New = p.wrap(c.New)
	p.pinned = make([]int, len(c.CPUs))
	if c.Lead != nil {
		p.most++
	}
	p.limit = c.Queue + min(c.Max, math.MaxInt-c.Queue)
	p.ample = p.limit - frontSize
	if c.Group != nil {
		if err := c.Group.join(p); err != nil {
			return nil, err
		}
	}
	p.mu.lock()
	w := p.callLocked()
	p.mu.Unlock()
	w.come()
	return p, nil
}

// setStateLocked is the only function that changes p.state. It ends what only an open pool has:
// waiting submitters, idle workers, and the timer.
func (p *Pool[T]) setStateLocked(to state) {
	if to <= p.state {
		return
	}
	p.state = to
	p.ample = math.MinInt // submitters must check the state
	p.refuseLocked()
	p.trimmer.stop()
	for _, w := range p.idle {
		w.wake <- struct{}{} // does not block: see worker.wake
	}
	p.idle = nil
	p.finishLocked()
}

// finishLocked closes p.done if the pool was stopped and has no workers, and, unless it is closed,
// no queued jobs.
func (p *Pool[T]) finishLocked() {
	if p.state == open || p.workers > 0 || p.state == draining && p.queuedLocked() > 0 {
		return
	}
	select {
	case <-p.done: // closed by an earlier call: draining may precede closed
	default:
		close(p.done)
		if p.c.Group != nil {
			p.c.Group.leave(p)
		}
	}
}
