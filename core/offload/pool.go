package offload

import (
	"context"
	"sync"

	"github.com/alitto/pond/v2"
)

// A Pool is a number of workers and the queue of calls that wait for one. Use [New] to create one.
// Its methods may be called from several goroutines at once, and, except for Shutdown, from tasks.
//
// A worker here is the permission to run a task, not a goroutine: an admitted handler runs on its
// own goroutine, a function on one of pond's. A worker belongs to its call while it is at work, to
// the supervisor while it is restarting, and to its queue while it is idle.
type Pool struct {
	c          Config     // resolved
	tasks      pond.Pool  // as many goroutines as workers; its queue holds functions about to begin
	supervisor supervisor // nil if workers own nothing

	full, late, closed error // the errors of calls that were shed

	done   chan struct{}   // closed when the last worker ends
	forced context.Context // canceled by Close
	force  context.CancelFunc
	// restartCtx ends when the pool is stopped and no call waits: then no resource is restarted.
	restartCtx   context.Context
	stopRestarts context.CancelFunc
	workers      []worker

	mu     sync.Mutex // guards following
	state  state
	queues []waitQueue      // one, or as many as workers: see Policy
	next   int              // index of the queue of the next call
	queued int              // calls in all queues
	staged [ended + 1]int   // workers, by stage
	fated  [numFates]uint64 // calls, by their final fate
	ran    uint64           // tasks that have ended
	opened uint64           // resources built
	failed uint64           // of those, the ones that failed, and failed attempts
}

// A supervisor replaces and closes the resources that workers own. Its methods are called on a
// goroutine of pond, and must leave the worker free or ended.
type supervisor interface {
	restart(*worker) // w's resource is broken
	end(*worker)     // w is no longer needed
}

// A state says which calls a pool still accepts and serves. It only moves forward.
type state uint8

const (
	// open: calls are accepted, and get workers.
	open state = iota
	// draining: no call is accepted; waiting calls get workers. A worker with nothing to do ends.
	draining
	// shut: no call waits, no task begins.
	shut
)

// New returns a pool with the configuration c. An error names the invalid field and its value. A
// pool must be stopped with Shutdown or Close.
func New(c Config) (*Pool, error) {
	p, err := newPool(c, nil)
	if err != nil {
		return nil, err
	}
	for i := range p.workers {
		p.free(&p.workers[i])
	}
	return p, nil
}

// newPool returns a pool whose workers are all in stage restarting.
func newPool(c Config, s supervisor) (*Pool, error) {
	c, err := c.resolve()
	if err != nil {
		return nil, err
	}
	p := &Pool{
		c:          c,
		tasks:      pond.NewPool(c.Workers, pond.WithoutPanicRecovery()),
		supervisor: s,
		full:       &ShedError{ErrFull, c.RetryAfter},
		late:       &ShedError{ErrWait, c.RetryAfter},
		closed:     &ShedError{ErrClosed, c.RetryAfter},
		done:       make(chan struct{}),
		workers:    make([]worker, c.Workers),
		queues:     make([]waitQueue, 1),
	}
	if c.Policy == RoundRobin {
		p.queues = make([]waitQueue, c.Workers)
	}
	p.forced, p.force = context.WithCancel(context.Background())
	p.restartCtx, p.stopRestarts = context.WithCancel(context.Background())
	p.staged[restarting] = c.Workers
	for i := range p.workers {
		p.workers[i] = worker{index: i, queue: &p.queues[i%len(p.queues)], stage: restarting}
	}
	return p, nil
}

// setStateLocked is the only function that changes p.state. It ends what the new state does not
// have: idle workers, and in state shut also waiting calls. The caller must pass the results to
// begin.
func (p *Pool) setStateLocked(to state) (begin []func()) {
	if to <= p.state {
		return nil
	}
	p.state = to
	for i := range p.queues {
		q := &p.queues[i]
		for to == shut && q.first != nil {
			p.refuseLocked(q.first, refused)
		}
		for w := q.popIdle(); w != nil; w = q.popIdle() {
			begin = append(begin, p.freeLocked(w))
		}
	}
	p.stopRestartsLocked()
	return begin
}

// stopRestartsLocked ends p.restartCtx if the pool is stopped and no call waits. Code that removes
// a call from a queue must call it.
func (p *Pool) stopRestartsLocked() {
	if p.state != open && p.queued == 0 {
		p.stopRestarts()
	}
}

// begin has pond run f, which may be nil. The mutex must not be held.
func (p *Pool) begin(f func()) {
	if f == nil {
		return
	}
	if err := p.tasks.Go(f); err != nil {
		panic("offload: BUG: pond: " + err.Error())
	}
}
