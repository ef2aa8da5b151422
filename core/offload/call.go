package offload

import (
	"context"
	"time"
)

// A call is one Admit, Do or Use. It belongs to its caller, except as noted below. Each call is
// allocated anew, with its channel and the place for its result, so nothing of it can reach another
// caller.
type call struct {
	run        func()     // the task, for pond; nil if the caller runs it
	queue      *waitQueue // the queue it waited in, or nil
	prev, next *call      // in that queue; not used if it needs slots
	// expires is when it has waited too long, as a time since the pool was created; zero means
	// never. A time.Time would be three times as large.
	expires time.Duration
	number  uint64       // of calls that have waited; the smaller number has waited longer
	slots   *slotRequest // nil if it needs none
	fate    fate         // guarded by the pool's mutex
	worker  *worker      // its worker; written before run is called or wake is sent to

	// wake is sent to at most once: when a call without run gets its worker, when one with run has
	// ended, or when the call was refused. Its capacity is one, so that sending never blocks.
	wake chan struct{}
}

// A fate is the progress or the outcome of a call. The package comment has a diagram.
type fate uint8

const (
	waiting   fate = iota // in a queue
	given                 // has a worker, run is about to be called
	begun                 // the task runs
	finished              // the task has ended
	abandoned             // the task is running, or has ended, and the caller has left
	left                  // the caller's context ended before the task began
	late                  // shed: it has waited too long
	refused               // shed: the pool was closed
	tooMany               // shed: the queue was full
	numFates  = iota
)

// setFateLocked is the only function that changes c.fate, and counts the final fates.
func (p *pool) setFateLocked(c *call, to fate) {
	legal, gone := false, to == left || to == late || to == refused
	switch c.fate {
	case waiting:
		legal = to != waiting && to != finished && to != abandoned
	case given:
		legal = to == begun || gone
	case begun:
		legal = to == finished || to == abandoned || gone && c.run == nil
	}
	if !legal {
		panic("offload: BUG: a call changed its fate")
	}
	c.fate = to
	if to > begun {
		p.fated[to]++
	}
}

// enter gives c a worker or a place in the queue, and otherwise returns an error.
func (p *pool) enter(ctx context.Context, c *call) error {
	err := ctx.Err()
	p.mu.Lock()
	if p.state != open {
		p.setFateLocked(c, refused)
		p.mu.Unlock()
		return p.closed
	}
	if err != nil {
		p.setFateLocked(c, left)
		p.mu.Unlock()
		return err
	}
	q := p.nextQueueLocked()
	if len(q.idle) > 0 && (c.slots == nil || p.availableLocked(c.slots)) {
		p.unlock(p.giveLocked(c, q.popIdle()))
		return nil
	}
	if p.queued >= p.c.Queue {
		p.setFateLocked(c, tooMany)
		p.mu.Unlock()
		return p.full
	}
	p.enqueueLocked(q, c)
	p.mu.Unlock()
	return nil
}

// giveLocked gives a worker to c, which must not be in a queue any more. The caller must pass the
// result to begin.
func (p *pool) giveLocked(c *call, w *worker) func() {
	p.setStageLocked(w, working)
	c.worker = w
	if c.slots != nil {
		p.takeLocked(c.slots)
	}
	if c.run != nil {
		p.setFateLocked(c, given)
		return c.run
	}
	p.setFateLocked(c, begun)
	c.wake <- struct{}{}
	return nil
}

// refuseLocked removes c from its queue and wakes its caller.
func (p *pool) refuseLocked(c *call, why fate) {
	p.dequeueLocked(c)
	p.setFateLocked(c, why)
	c.wake <- struct{}{}
}

// await waits until c, for which enter has returned nil, has a worker, or, if c has a task, until
// the task has ended. It does not wait longer than ctx, which is parent with the pool's own limits.
// It returns c's fate, which is begun or a final one. If the caller is a handler that has to wait,
// it does so as in Waiting.
func (p *pool) await(parent, ctx context.Context, c *call) fate {
	if len(c.wake) == 0 {
		if w := waiter(parent); w != nil {
			var to fate
			w.Wait(func() { to = p.awaitCounting(parent, ctx, c) })
			return to
		}
	}
	return p.awaitCounting(parent, ctx, c)
}

// awaitCounting is await without Waiting.
func (p *pool) awaitCounting(parent, ctx context.Context, c *call) fate {
	var expired <-chan time.Time
	if c.expires != 0 {
		t := time.NewTimer(c.expires - time.Since(p.born))
		defer t.Stop()
		expired = t.C
	}
	for {
		select {
		case <-c.wake:
			if c.run == nil && ctx.Err() != nil {
				return p.leave(parent, c)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			return c.fate
		case <-ctx.Done():
			return p.leave(parent, c)
		case <-expired:
			p.mu.Lock()
			if c.fate == waiting {
				p.dequeueLocked(c)
				p.setFateLocked(c, late)
			}
			to := c.fate
			p.unlock(nil)
			if to == late {
				return late
			}
			expired = nil
		}
	}
}

// leave is called when the context of c, which is parent with the pool's own limits, has ended. It
// returns c's fate, which is a final one.
func (p *pool) leave(parent context.Context, c *call) fate {
	gone := late // because of Timeout
	switch {
	case parent.Err() != nil:
		gone = left
	case p.forced.Err() != nil:
		gone = refused
	}
	p.mu.Lock()
	var f func()
	switch c.fate {
	case waiting:
		p.dequeueLocked(c)
		p.setFateLocked(c, gone)
	case given: // run must not begin any more
		p.setFateLocked(c, gone)
	case begun:
		if c.run != nil {
			p.setFateLocked(c, abandoned)
		} else {
			p.setFateLocked(c, gone)
			f = p.releaseLocked(c)
		}
	}
	to := c.fate
	p.unlock(f)
	return to
}

// start reports whether to run c's task. If not, it has freed c's worker: the caller has left, or
// will when it sees that ctx has ended.
func (p *pool) start(ctx context.Context, c *call) bool {
	err := ctx.Err()
	p.mu.Lock()
	if c.fate == given && err == nil {
		p.setFateLocked(c, begun)
		p.mu.Unlock()
		return true
	}
	p.unlock(p.releaseLocked(c))
	return false
}

// releaseLocked takes from c what it has, its worker and its slots. The caller must pass the result
// to begin.
func (p *pool) releaseLocked(c *call) func() {
	if c.slots != nil {
		p.putBackLocked(c.slots)
	}
	return p.freeLocked(c.worker)
}

// finish ends c's task and frees its worker. If the task has panicked and the caller has left,
// finish first reports the panic; otherwise v is nil, or the caller's. A second call does nothing.
func (p *pool) finish(c *call, v *Panic) {
	p.mu.Lock()
	if c.fate == finished {
		p.mu.Unlock()
		return
	}
	alone := c.fate == abandoned
	if alone && v != nil {
		p.mu.Unlock()
		defer p.finish(c, nil) // even if Config.Panic ends the goroutine
		p.panicked(v.Value, v.Stack)
		return
	}
	p.ran++
	if !alone {
		p.setFateLocked(c, finished)
	}
	p.unlock(p.releaseLocked(c))
	if !alone && c.run != nil {
		c.wake <- struct{}{} // after the worker is free, since the caller may call again at once
	}
}

// failure returns the error for a call whose fate is to, which must not be begun or finished.
func (p *pool) failure(parent context.Context, to fate) error {
	switch to {
	case late:
		return p.late
	case refused:
		return p.closed
	case left:
		return parent.Err()
	case abandoned:
		switch {
		case parent.Err() != nil:
			return parent.Err()
		case p.forced.Err() != nil:
			return p.closed
		}
		return context.DeadlineExceeded // Timeout
	}
	panic("offload: BUG: a call failed without a reason")
}
