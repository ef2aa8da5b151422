package offload

import (
	"context"
	"time"
)

// A call is one Admit, Do or Use. It belongs to its caller, except as the fields say. It is made anew for
// each, and so are its channel and the place for its result: nothing of it can reach another caller.
type call struct {
	run        func()    // the task, for pond; nil if the caller runs it
	line       *line     // in which it waited, or nil
	prev, next *call     // in that line
	expires    time.Time // when it has waited too long; zero: never
	fate       fate      // guarded by the pool's mutex
	worker     *worker   // that it was given; written before run is called or wake is sent to

	// wake is sent to once: when a call without run has its worker, when one with run has ended, or when
	// it was refused. Its capacity is one, so that sending never blocks.
	wake chan struct{}
}

// A fate is how far a call has come. The package comment has the picture.
type fate uint8

const (
	waiting   fate = iota // in a line
	given                 // has a worker, run is about to be called
	begun                 // the task runs
	finished              // the task has ended
	abandoned             // the task runs, or has run, and the caller has left
	left                  // the caller's context has ended before the task began
	late                  // shed: it has waited too long
	refused               // shed: the pool was closed
	tooMany               // shed: the queue was full
	numFates  = iota
)

// setFateLocked is the one function that changes c.fate, and counts the last one.
func (p *Pool) setFateLocked(c *call, to fate) {
	legal := false
	switch c.fate {
	case waiting:
		legal = to != waiting && to != finished && to != abandoned
	case given:
		legal = to == begun || to == left
	case begun:
		legal = to == finished || to == abandoned || to == left && c.run == nil
	}
	if !legal {
		panic("offload: BUG: a call changed its fate")
	}
	c.fate = to
	if to > begun {
		p.fated[to]++
	}
}

// enter gives c a worker or a place in the queue. Otherwise it returns the error.
func (p *Pool) enter(ctx context.Context, c *call) error {
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
	l := p.nextLineLocked()
	if w := l.pop(); w != nil {
		f := p.giveLocked(c, w)
		p.mu.Unlock()
		p.begin(f)
		return nil
	}
	if p.queued >= p.c.Queue {
		p.setFateLocked(c, tooMany)
		p.mu.Unlock()
		return p.full
	}
	p.queueLocked(l, c)
	p.mu.Unlock()
	return nil
}

// giveLocked gives c, which is in no line any more, a worker. What it returns is to be begun.
func (p *Pool) giveLocked(c *call, w *worker) func() {
	p.setStageLocked(w, working)
	c.worker = w
	if c.run != nil {
		p.setFateLocked(c, given)
		return c.run
	}
	p.setFateLocked(c, begun)
	c.wake <- struct{}{}
	return nil
}

// refuseLocked takes c off its line and tells it so.
func (p *Pool) refuseLocked(c *call, why fate) {
	p.unqueueLocked(c)
	p.setFateLocked(c, why)
	c.wake <- struct{}{}
}

// await waits, after enter, until c has a worker, or, if it has a task, until that has ended; but no longer than ctx, which is parent with
// the pool's own limits. It returns c's fate, which is begun or a last one.
func (p *Pool) await(parent, ctx context.Context, c *call) fate {
	var expired <-chan time.Time
	if !c.expires.IsZero() {
		t := time.NewTimer(time.Until(c.expires))
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
				p.unqueueLocked(c)
				p.setFateLocked(c, late)
			}
			if c.fate == late {
				p.mu.Unlock()
				return late
			}
			p.mu.Unlock()
			expired = nil
		}
	}
}

// leave is for a caller whose context has ended. It returns c's fate, which is a last one.
func (p *Pool) leave(parent context.Context, c *call) fate {
	tooLong := parent.Err() == nil // so it was Timeout, or Close, which leaves nobody waiting
	p.mu.Lock()
	var f func()
	switch c.fate {
	case waiting:
		p.unqueueLocked(c)
		if tooLong {
			p.setFateLocked(c, late)
		} else {
			p.setFateLocked(c, left)
		}
	case given: // begins no more
		p.setFateLocked(c, left)
	case begun:
		if c.run != nil {
			p.setFateLocked(c, abandoned)
		} else {
			p.setFateLocked(c, left)
			f = p.freeLocked(c.worker)
		}
	}
	to := c.fate
	p.mu.Unlock()
	p.begin(f)
	return to
}

// commence reports whether c's task is to run. If not, c's worker was freed.
func (p *Pool) commence(ctx context.Context, c *call) bool {
	err := ctx.Err()
	p.mu.Lock()
	if c.fate == given && err != nil {
		p.setFateLocked(c, left)
		c.wake <- struct{}{}
	}
	if c.fate == given {
		p.setFateLocked(c, begun)
		p.mu.Unlock()
		return true
	}
	f := p.freeLocked(c.worker)
	p.mu.Unlock()
	p.begin(f)
	return false
}

// conclude ends c's task and frees its worker. It reports whether the caller has left. A second time it does nothing.
func (p *Pool) conclude(c *call) (alone bool) {
	p.mu.Lock()
	if c.fate == finished {
		p.mu.Unlock()
		return false
	}
	p.ran++
	alone = c.fate == abandoned
	if !alone {
		p.setFateLocked(c, finished)
	}
	f := p.freeLocked(c.worker)
	p.mu.Unlock()
	p.begin(f)
	if !alone && c.run != nil {
		c.wake <- struct{}{} // not before the worker is free: the caller may come again at once
	}
	return alone
}

// failure returns the error of a call whose fate was to, which is not begun or finished.
func (p *Pool) failure(parent context.Context, to fate) error {
	switch to {
	case late:
		return p.late
	case refused:
		return p.closed
	case left, abandoned:
		switch {
		case parent.Err() != nil:
			return parent.Err()
		case p.forced.Err() != nil:
			return p.closed
		case to == left: // Timeout, just when there was a worker
			return p.late
		}
		return context.DeadlineExceeded // Timeout
	}
	panic("offload: BUG: a call failed without a reason")
}
