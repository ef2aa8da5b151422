package pool

import (
	"math"
	"sync/atomic"
)

// A Pool is a set of recycled workers and the queue of their jobs. It is made by [New]. Its
// methods may be called from several goroutines at once, and, but for Shutdown, from jobs.
//
// A job belongs to the queue until a worker takes it, or Close does.
type Pool[T any] struct {
	c     Config[T]     // resolved
	limit int           // with so many jobs queued and at work the queue is full
	most  int           // how many workers there may be: Max, and one more that leads
	done  chan struct{} // closed by whoever finds that the pool was stopped and has no worker

	// attend is set while a Submit is to be let in as soon as there is room. A worker that makes
	// room without the mutex, by taking a job from a front, then has to call letIn. Written under
	// the mutex.
	attend atomic.Bool

	_ [64]byte // so that reading the above is not slowed down by writing the following

	mu      mutex // guards following
	ample   int   // with fewer jobs in the ring and at work there is room, whatever the front has
	busy    int   // workers at work
	state   state
	coming  bool // a called worker is on its way
	leading bool // a worker is inside Lead
	led     bool // Lead returned an error: nobody leads any more
	jobs    ring[T]
	front   *front[T] // jobs older than those in the ring; nil before there were any

	workers int          // all of them, those on the way included
	idle    []*worker[T] // a stack: the last has been idle for the shortest time
	waiters waiters[T]
	trimmer trimmer
	spare   *front[T] // a list of fronts without users
	batch   []T       // the leader's
	pinned  []int     // how many workers each of c.CPUs has

	taken   uint64 // jobs that have left the ring for a worker or a front
	panics  uint64
	started uint64 // workers since the beginning

	refusals atomic.Uint64 // not guarded by mu, as is the following
	skips    atomic.Uint64
}

// A state says which jobs a pool still takes and does. It only moves forward.
type state uint8

const (
	// open: jobs are taken, and done.
	open state = iota
	// draining: jobs are taken from Lead and Push only, and done. A worker with nothing to do ends
	// instead of standing by.
	draining
	// closed: no job is begun. What Lead still brings stays queued for the next Close.
	closed
)

// New returns a pool that works as c says. Workers are started when they are needed; with Lead
// that is at once. A pool must be ended by Shutdown or Close.
func New[T any](c Config[T]) (*Pool[T], error) {
	c, err := c.resolve()
	if err != nil {
		return nil, err
	}
	p := &Pool[T]{c: c, most: c.Max, done: make(chan struct{})}
	p.c.New = p.wrap(c.New)
	p.pinned = make([]int, len(c.CPUs))
	if c.Lead != nil {
		p.most++
	}
	p.limit = c.Queue + min(c.Max, math.MaxInt-c.Queue)
	p.ample = p.limit - frontSize
	p.mu.lock()
	w := p.callLocked()
	p.mu.Unlock()
	w.come()
	return p, nil
}

// setStateLocked is the one function that changes p.state. It ends what only an earlier state has:
// waiting to submit, standing by, and the timer.
func (p *Pool[T]) setStateLocked(to state) {
	if to <= p.state {
		return
	}
	p.state = to
	p.ample = math.MinInt // submitters shall look at the state
	p.refuseLocked()
	p.trimmer.stop()
	for _, w := range p.idle {
		w.wake <- struct{}{} // does not block: see worker.wake
	}
	p.idle = nil
	p.finishLocked()
}

// finishLocked closes p.done if the pool was stopped and has no worker.
func (p *Pool[T]) finishLocked() {
	if p.state == open || p.workers > 0 {
		return
	}
	select {
	case <-p.done: // by an earlier call: there is draining, and then there is closed
	default:
		close(p.done)
	}
}
