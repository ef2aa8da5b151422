package pool

import "context"

// TrySubmit queues a job, and never waits. It returns [ErrFull] if there is no room in the queue,
// and [ErrClosed] after Shutdown or Close.
func (p *Pool[T]) TrySubmit(job T) error {
	p.mu.lock()
	if p.jobs.len()+p.busy >= p.ample {
		if err := p.roomLocked(); err != nil {
			p.mu.Unlock()
			return err
		}
	}
	p.jobs.push(job)
	call := p.callLocked()
	p.mu.Unlock()
	call.come()
	return nil
}

// Submit queues a job, and waits while there is no room in the queue. Of several that wait, the
// first to come is the first to be let in. It returns ctx's error if ctx ends while it waits, and
// [ErrClosed] after Shutdown or Close. If there is room the job is queued, even if ctx has ended.
//
// A job that submits to its own pool waits for room that it may itself have to make; it should use
// TrySubmit.
func (p *Pool[T]) Submit(ctx context.Context, job T) error {
	if err := p.TrySubmit(job); err != ErrFull {
		return err
	}
	return p.wait(ctx, job)
}

// Push queues jobs whether there is room or not, and also while Shutdown waits. It is for work
// that was admitted already and comes back to the queue, or comes in by other ways than Lead. It
// returns [ErrClosed], and queues none, after Close, or after Shutdown has seen the last worker
// end.
func (p *Pool[T]) Push(jobs ...T) error {
	p.mu.lock()
	if p.state == closed || p.state == draining && p.workers == 0 {
		p.mu.Unlock()
		return ErrClosed
	}
	for _, job := range jobs {
		p.jobs.push(job)
	}
	call := p.callLocked()
	p.mu.Unlock()
	call.come()
	return nil
}

// roomLocked returns nil if a job may be submitted, or the error that says why not.
func (p *Pool[T]) roomLocked() error {
	switch {
	case p.state != open:
		return ErrClosed
	case p.fullLocked():
		return ErrFull
	}
	return nil
}
