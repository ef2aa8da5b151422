package offload

import (
	"context"
	"sync"

	"github.com/alitto/pond/v2"
)

// A Pool is a number of workers and the queue of calls that wait for one. It is made by [New]. Its
// methods may be called from several goroutines at once, and, but for Shutdown, from tasks.
//
// A worker here is the permission to run a task, not a goroutine: a handler that was admitted runs on its own goroutine, a
// function on one of pond's. A worker is owned by the call that it was given to, by the keeper while it is
// mended, and by its line while it is idle.
type Pool struct {
	c      Config    // resolved
	tasks  pond.Pool // as many goroutines as workers; its queue holds what is about to begin
	keeper keeper    // nil if workers own nothing

	full, late, closed error // what calls are shed with

	done    chan struct{}   // closed by whoever ends the last worker
	forced  context.Context // ended by Close
	force   context.CancelFunc
	needed  context.Context // ends when the pool was stopped and no call waits: nothing need be mended
	enough  context.CancelFunc
	workers []worker

	mu     sync.Mutex // guards following
	state  state
	lines  []line           // one, or as many as workers: see Policy
	turn   int              // the line of the next call
	queued int              // calls in all lines
	staged [ended + 1]int   // workers, by stage
	fated  [numFates]uint64 // calls, by what became of them at last
	ran    uint64           // tasks that have ended
	opened uint64           // resources
	failed uint64           // of those, the ones that failed
}

// A keeper keeps what workers own. It is called on a goroutine of pond, and must
// see to it that the worker then is free or ended.
type keeper interface {
	mend(*worker) // what w owns is broken
	end(*worker)  // w is not needed any more
}

// A state says which calls a pool still takes and serves. It only moves forward.
type state uint8

const (
	// open: calls are taken, and get workers.
	open state = iota
	// draining: no call is taken; those that wait get workers. A worker with nothing to do ends.
	draining
	// shut: nobody waits, no task is begun.
	shut
)

// New returns a pool that works as c says. The error names the field that is wrong, and its value. A pool must be
// ended by Shutdown or Close.
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

// newPool returns a pool whose workers are all being mended.
func newPool(c Config, k keeper) (*Pool, error) {
	c, err := c.resolve()
	if err != nil {
		return nil, err
	}
	p := &Pool{
		c:       c,
		tasks:   pond.NewPool(c.Workers, pond.WithoutPanicRecovery()),
		keeper:  k,
		full:    &ShedError{ErrFull, c.RetryAfter},
		late:    &ShedError{ErrWait, c.RetryAfter},
		closed:  &ShedError{ErrClosed, c.RetryAfter},
		done:    make(chan struct{}),
		workers: make([]worker, c.Workers),
		lines:   make([]line, 1),
	}
	if c.Policy == RoundRobin {
		p.lines = make([]line, c.Workers)
	}
	p.forced, p.force = context.WithCancel(context.Background())
	p.needed, p.enough = context.WithCancel(context.Background())
	p.staged[mending] = c.Workers
	for i := range p.workers {
		p.workers[i] = worker{index: i, line: &p.lines[i%len(p.lines)], stage: mending}
	}
	return p, nil
}

// setStateLocked is the one function that changes p.state. It ends what only an earlier state has: waiting, and idle workers. What it
// returns is to be begun.
func (p *Pool) setStateLocked(to state) (begin []func()) {
	if to <= p.state {
		return nil
	}
	p.state = to
	for i := range p.lines {
		l := &p.lines[i]
		for to == shut && l.first != nil {
			p.refuseLocked(l.first, refused)
		}
		for w := l.pop(); w != nil; w = l.pop() {
			begin = append(begin, p.freeLocked(w))
		}
	}
	p.enoughLocked()
	return begin
}

// enoughLocked ends p.needed if the time has come. Whoever takes a call off a line calls it.
func (p *Pool) enoughLocked() {
	if p.state != open && p.queued == 0 {
		p.enough()
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
