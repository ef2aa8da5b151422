package pool

import (
	"math"
	"sync/atomic"

	"github.com/recycling-go/recycling/core/internal/permits"
)

// A Pool is a set of recycled workers and the queue of their jobs. Use [New] to create one. Its
// methods may be called from several goroutines at once, and, except for Shutdown, from jobs.
//
// A job belongs to the queue until a worker takes it, or Pull or Close removes it.
type Pool[T any] struct {
	c          Config[T]     // resolved
	limit      int           // the queue is full with this many jobs queued and at work
	maxWorkers int           // maximum number of workers: Max, and one more if there is Lead
	done       chan struct{} // closed when the pool was stopped and has no workers left

	// needsRoom is set while a Submit waits to be admitted as soon as there is room. A worker that
	// makes room without the mutex, by taking a job from a claimBatch, then has to call admit.
	// Written under the mutex.
	needsRoom atomic.Bool

	// overfull is set while more than Max workers are at work, because jobs have resumed, in a pool
	// without Group. Written under the mutex.
	overfull atomic.Bool

	standby      atomic.Int64 // how many idle workers are kept; changes only in a group
	inGroupQueue atomic.Bool  // p is in its group's queue; written under the group's mutex

	permits *permits.Share // of Group, for p's workers; nil without Group

	_ [64]byte // so that reading the above is not slowed down by writes to the following

	mu        mutex // guards following
	fastLimit int   // with fewer jobs in the ring and at work there is room, however full the front
	busy      int   // workers at work
	state     state
	waking    bool // a worker is being woken
	leading   bool // a worker is inside Lead
	leadEnded bool // Lead returned an error: no worker leads any more
	jobs      ring[T]
	front     *claimBatch[T] // jobs older than those in the ring; nil until first used

	workers int          // all of them, including those being woken or started
	paused  int          // those whose job is paused, which do not count in workers and busy
	idle    []*worker[T] // a stack: the last one became idle last
	waiters waiters[T]
	trimmer idleTrimmer
	spare   *claimBatch[T] // a list of batches without users
	batch   []T            // passed to Lead; the leader's

	taken   uint64 // jobs that have left the ring for a worker or the front
	lent    int    // jobs taken by workers of other pools, minus jobs of others taken by p's
	panics  uint64
	started uint64 // workers started since New
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
	p := &Pool[T]{c: c, maxWorkers: c.Max, done: make(chan struct{})}
	p.standby.Store(int64(c.Standby))
	if c.Lead != nil && p.maxWorkers < math.MaxInt {
		p.maxWorkers++
	}
	p.limit = c.Queue + min(c.Max, math.MaxInt-c.Queue)
	p.fastLimit = p.limit - claimBatchSize
	if c.Group != nil {
		if err := c.Group.add(p); err != nil {
			return nil, err
		}
	}
	p.mu.lock()
	w := p.pickWorkerLocked()
	p.mu.Unlock()
	w.wake()
	return p, nil
}

// setStateLocked is the only function that changes p.state. It ends what only an open pool has:
// waiting submitters, idle workers, and the timer.
func (p *Pool[T]) setStateLocked(to state) {
	if to <= p.state {
		return
	}
	p.state = to
	p.fastLimit = math.MinInt // submitters must check the state
	p.refuseLocked()
	p.trimmer.stop()
	for _, w := range p.idle {
		w.ready <- struct{}{} // does not block: see worker.ready
	}
	p.idle = nil
	p.finishLocked()
}

// finishLocked closes p.done if the pool was stopped and has no workers, and, unless it is closed,
// no queued jobs.
func (p *Pool[T]) finishLocked() {
	if p.state == open || p.workers > 0 || p.paused > 0 || p.state == draining && p.queuedLocked() > 0 {
		return
	}
	select {
	case <-p.done: // closed by an earlier call: draining may precede closed
	default:
		close(p.done)
		if p.c.Group != nil {
			p.c.Group.remove(p)
		}
	}
}
