package pool

import "context"

// TrySubmit queues a job. It never waits: if the queue is full it returns ErrFull, after
// Shutdown or Close ErrClosed.
func (p *Pool[T]) TrySubmit(job T) error {
	p.mu.Lock()
	switch {
	case p.state != open:
		p.mu.Unlock()
		return ErrClosed
	case p.fullLocked():
		p.mu.Unlock()
		return ErrFull
	}
	p.jobs.push(job)
	if p.coming {
		p.mu.Unlock()
		return nil
	}
	w := p.callLocked()
	p.mu.Unlock()
	if w != nil {
		w.come()
	}
	return nil
}

// Submit queues a job, and waits while the queue is full. It returns ctx's error if that ends first, and ErrClosed
// after Shutdown or Close. When it returns nil the job has been queued, no
// matter what became of ctx.
func (p *Pool[T]) Submit(ctx context.Context, job T) error {
	p.mu.Lock()
	if p.jobs.len()+p.busy >= p.easy {
		return p.waitLocked(ctx, job)
	}
	p.jobs.push(job)
	if p.coming {
		p.mu.Unlock()
		return nil
	}
	return p.submitted()
}
func (p *Pool[T]) submitted() error {
	w := p.callLocked()
	p.mu.Unlock()
	w.come()
	return nil
}
