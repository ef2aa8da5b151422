package offload

import (
	"context"
	"sync"
	"time"

	"github.com/alitto/pond/v2"
)

// A Pool is a number of workers and the queue of calls that wait for one. Use [New] to create one.
// Its methods may be called from several goroutines at once, and, except for Shutdown, from tasks.
//
// A worker here is the permission to run a task, not a goroutine: an admitted handler runs on its
// own goroutine, a function on one of pond's. A worker belongs to its call while it is at work, to
// the supervisor while it is restarting, and to its queue while it is idle.
type Pool struct {
	*pool
	needs []need // the slots that each call through this Pool needs; see With
}

// A pool is the state that a Pool shares with those that its method With returns.
type pool struct {
	c          Config     // resolved
	tasks      pond.Pool  // as many goroutines as workers; its queue holds functions about to begin
	supervisor supervisor // nil if workers own nothing
	born       time.Time

	full, late, closed error // the errors of calls that were shed

	done   chan struct{}   // closed when the last worker ends
	forced context.Context // canceled by Close
	force  context.CancelFunc
	// restartCtx ends when the pool is stopped and no call waits: then no resource is restarted.
	restartCtx   context.Context
	stopRestarts context.CancelFunc
	// openCtx ends when the pool is stopped: then no resource is replaced that has not failed.
	openCtx context.Context
	stop    context.CancelFunc

	mu        sync.Mutex // guards following
	state     state
	workers   []*worker        // those that have not ended
	leaving   int              // workers that are to end because of Resize
	queues    []*waitQueue     // one, or as many as workers that are to stay: see Policy
	slots     []*slot          // by name; the slice does not change
	next      int              // index of the queue of the next call
	queued    int              // calls in all queues
	numbered  uint64           // calls that have waited
	staged    [ended + 1]int   // workers, by stage
	fated     [numFates]uint64 // calls, by their final fate
	ran       uint64           // tasks that have ended
	opened    uint64           // resources built
	failed    uint64           // of those, the ones that failed, and failed attempts
	replaced  uint64           // resources replaced though they had not failed
	renewal   renewal
	pending   int      // calls of deliver that have not ended
	recheck   bool     // whether unlock has to look for calls that can begin now
	postponed []func() // for unlock to begin
}

// A supervisor replaces and closes the resources that workers own. The methods with a worker are
// called on a goroutine of pond, and must leave the worker free or ended.
type supervisor interface {
	restart(*worker) // w's resource is broken, is to be replaced, or was never built
	end(*worker)     // w is no longer needed
	replace()        // on a goroutine of its own: replaces worn resources; see renewal
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
	for _, w := range p.workers {
		p.free(w)
	}
	return &Pool{pool: p}, nil
}

// With returns a Pool with the workers, queue and limits of p whose calls each occupy s while their
// task runs: those of Do, Admit, AdmitRequest and Middleware. Stopping either stops both. If p was
// returned by With, s replaces what its calls occupy.
//
// Later calls that need some of the same slots do not overtake a call that waits for slots; all
// others do. A task has its slots until it returns, even if its caller has left.
//
// If [Config.Slots] has less of something than s, the error wraps [ErrSlots]. If an amount is
// negative, the error names it.
func (p *Pool) With(s Slots) (*Pool, error) {
	needs, err := p.needsOf(s)
	if err != nil {
		return nil, err
	}
	return &Pool{p.pool, needs}, nil
}

// newPool returns a pool whose workers are all in stage restarting.
func newPool(c Config, s supervisor) (*pool, error) {
	c, err := c.resolve()
	if err != nil {
		return nil, err
	}
	p := &pool{
		c:          c,
		tasks:      pond.NewPool(c.Workers, pond.WithoutPanicRecovery()),
		supervisor: s,
		born:       time.Now(),
		full:       &ShedError{ErrFull, c.RetryAfter},
		late:       &ShedError{ErrWait, c.RetryAfter},
		closed:     &ShedError{ErrClosed, c.RetryAfter},
		done:       make(chan struct{}),
		slots:      newSlots(c.Slots),
	}
	p.forced, p.force = context.WithCancel(context.Background())
	p.restartCtx, p.stopRestarts = context.WithCancel(context.Background())
	p.openCtx, p.stop = context.WithCancel(context.Background())
	for range c.Workers {
		p.addWorkerLocked()
	}
	return p, nil
}

// setStateLocked is the only function that changes p.state. It ends what the new state does not
// have: idle workers, and in state shut also waiting calls.
func (p *pool) setStateLocked(to state) {
	if to <= p.state {
		return
	}
	p.state = to
	if to == shut {
		p.refuseAllLocked()
	}
	p.recheck = true // to end idle workers
	p.stop()
	p.stopRestartsLocked()
	p.renewLocked()
}

// stopRestartsLocked ends p.restartCtx if the pool is stopped and no call waits. Code that removes
// a call from a queue must call it.
func (p *pool) stopRestartsLocked() {
	if p.state != open && p.queued == 0 {
		p.stopRestarts()
	}
}

// unlock unlocks the mutex, and has pond run f, which may be nil, and what was postponed. Code that
// frees a worker, gives back slots or removes a call from a queue must call it instead of
// p.mu.Unlock.
func (p *pool) unlock(f func()) {
	if p.recheck {
		p.dispatchLocked()
	}
	postponed := p.postponed
	p.postponed = nil
	p.mu.Unlock()
	p.begin(f)
	for _, f := range postponed {
		p.begin(f)
	}
}

// laterLocked has unlock begin f, which may be nil.
func (p *pool) laterLocked(f func()) {
	if f != nil {
		p.postponed = append(p.postponed, f)
	}
}

// begin has pond run f, which may be nil. The mutex must not be held.
func (p *pool) begin(f func()) {
	if f == nil {
		return
	}
	if err := p.tasks.Go(f); err != nil {
		panic("offload: BUG: pond: " + err.Error())
	}
}

// endedLocked closes p.done if nothing is left.
func (p *pool) endedLocked() {
	if p.state != open && len(p.workers) == 0 && p.pending == 0 && p.renewal.running == 0 {
		close(p.done)
	}
}
