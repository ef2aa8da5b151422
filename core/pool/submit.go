package pool

import "context"

// TrySubmit queues a job without waiting. It returns [ErrFull] if the queue is full, and
// [ErrClosed] after Shutdown or Close.
func (p *Pool[T]) TrySubmit(job T) error {
	p.mu.lock()
	if p.jobs.len()+p.busy >= p.fastLimit {
		if err := p.checkRoomLocked(); err != nil {
			p.mu.Unlock()
			return err
		}
	}
	p.jobs.push(job)
	picked := p.pickWorkerLocked()
	p.mu.Unlock()
	picked.wake()
	return nil
}

// Submit queues a job, waiting while the queue is full. Waiting calls are admitted in the order in
// which they arrived. Submit returns ctx's error if ctx ends while it waits, and [ErrClosed] after
// Shutdown or Close. If there is room the job is queued, even if ctx has ended.
//
// A job that submits to its own pool should use TrySubmit, since it might wait for room that only
// becomes free when the job itself ends.
func (p *Pool[T]) Submit(ctx context.Context, job T) error {
	err := p.TrySubmit(job)
	if err == ErrFull {
		return p.wait(ctx, job)
	}
	return err
}

// Push queues jobs even if the queue is full, and also while Shutdown waits. It is for work that
// was already admitted and returns to the queue, or that arrives in another way than from Lead. It
// returns [ErrClosed], and queues nothing, after Close, or after Shutdown once the last worker has
// ended.
func (p *Pool[T]) Push(jobs ...T) error {
	p.mu.lock()
	if p.state == closed || p.state == draining && p.workers+p.paused == 0 && p.queuedLocked() == 0 {
		p.mu.Unlock()
		return ErrClosed
	}
	for _, job := range jobs {
		p.jobs.push(job)
	}
	picked := p.pickWorkerLocked()
	p.mu.Unlock()
	picked.wake()
	return nil
}

// checkRoomLocked returns nil if a job may be submitted, and otherwise the reason as an error.
func (p *Pool[T]) checkRoomLocked() error {
	switch {
	case p.state != open:
		return ErrClosed
	case p.fullLocked():
		return ErrFull
	}
	return nil
}

// Pull removes the oldest job from the queue and returns it, and reports whether there was one. It
// is for jobs that have waited too long; they count as done.
func (p *Pool[T]) Pull() (job T, ok bool) {
	p.mu.lock()
	job, ok = p.dequeueLocked()
	submitter := p.admitLocked()
	p.finishLocked()
	p.mu.Unlock()
	submitter.wake()
	return job, ok
}

// dequeueLocked removes the oldest job from the queue and returns it, and reports whether there was
// one.
func (p *Pool[T]) dequeueLocked() (job T, ok bool) {
	if p.front.len() > 0 {
		job, ok = p.front.take()
	}
	if !ok && p.jobs.len() > 0 {
		job, ok = p.jobs.pop(), true
		p.taken++
	}
	return job, ok
}
