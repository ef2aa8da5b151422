package pool

import "context"

// TrySubmit queues a job without waiting. It returns [ErrFull] if the queue is full, and
// [ErrClosed] after Shutdown or Close.
func (p *Pool[T]) TrySubmit(job T) error {
	if err := p.submit(job); err != nil {
		return p.refuse(err)
	}
	return nil
}

// Submit queues a job, waiting while the queue is full. Waiting calls are admitted in the order in
// which they arrived. Submit returns ctx's error if ctx ends while it waits, and [ErrClosed] after
// Shutdown or Close. If there is room the job is queued, even if ctx has ended.
//
// A job that submits to its own pool might wait for room that only its own end makes; it should use
// TrySubmit.
func (p *Pool[T]) Submit(ctx context.Context, job T) error {
	err := p.submit(job)
	if err == ErrFull {
		err = p.wait(ctx, job)
	}
	if err != nil {
		return p.refuse(err)
	}
	return nil
}

// SubmitAll submits jobs in order, like Submit, but all that there is room for at once, which takes
// a fraction of the time per job. If it has to wait, jobs of other submitters may come in between.
// It returns how many jobs were queued, which are all of them unless there is an error.
func (p *Pool[T]) SubmitAll(ctx context.Context, jobs []T) (n int, err error) {
	for n < len(jobs) {
		n += p.fill(jobs[n:])
		if n < len(jobs) {
			if err := p.Submit(ctx, jobs[n]); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

// Push queues jobs even if the queue is full, and also while Shutdown waits. It is for work that
// was already admitted and returns to the queue, or that arrives in another way than from Lead. It
// returns [ErrClosed], and queues nothing, after Close, or after Shutdown once the last worker has
// ended.
func (p *Pool[T]) Push(jobs ...T) error {
	p.mu.lock()
	if p.state == closed || p.state == draining && p.workers == 0 && p.queuedLocked() == 0 {
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

// submit queues a job if there is room, and otherwise returns the reason as an error.
func (p *Pool[T]) submit(job T) error {
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

// fill queues as many jobs as there is room for, and returns how many.
func (p *Pool[T]) fill(jobs []T) int {
	p.mu.lock()
	n := 0
	if p.state == open {
		n = min(max(p.limit-p.busy-p.queuedLocked(), 0), len(jobs))
	}
	for _, job := range jobs[:n] {
		p.jobs.push(job)
	}
	call := p.callLocked()
	p.mu.Unlock()
	call.come()
	return n
}

// roomLocked returns nil if a job may be submitted, and otherwise the reason as an error.
func (p *Pool[T]) roomLocked() error {
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
	job, ok = p.pullLocked()
	in := p.admitLocked()
	p.finishLocked()
	p.mu.Unlock()
	in.come()
	return job, ok
}

func (p *Pool[T]) pullLocked() (job T, ok bool) {
	if p.front.left() > 0 {
		job, ok = p.front.take()
	}
	if !ok && p.jobs.len() > 0 {
		job, ok = p.jobs.pop(), true
		p.taken++
	}
	return job, ok
}
