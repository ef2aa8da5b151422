package pool

import "context"

// TrySubmit queues a job, and never waits. It returns [ErrFull] if there is no room in the queue,
// and [ErrClosed] after Shutdown or Close.
func (p *Pool[T]) TrySubmit(job T) error {
	if err := p.submit(job); err != nil {
		return p.refuse(err)
	}
	return nil
}

// Submit queues a job, and waits while there is no room in the queue. Of several that wait, the
// first to come is the first to be let in. It returns ctx's error if ctx ends while it waits, and
// [ErrClosed] after Shutdown or Close. If there is room the job is queued, even if ctx has ended.
//
// A job that submits to its own pool waits for room that it may itself have to make; it should use
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

// SubmitAll submits jobs in their order, as Submit does, but all that there is room for at once:
// per job it takes a fraction of the time. Others' jobs may come in between when it has to wait.
// It returns how many were queued, which are all unless there is an error.
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

// submit queues a job if there is room, or returns the error that says why not.
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

// fill queues as many of jobs as there is room for, and returns how many.
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

// Pull takes the oldest job out of the queue for the caller, and reports whether there was one. It is for jobs that have
// waited too long; they count as done.
func (p *Pool[T]) Pull() (job T, ok bool) {
	p.mu.lock()
	if p.front.left() > 0 {
		job, ok = p.front.take()
	}
	if !ok && p.jobs.len() > 0 {
		job, ok = p.jobs.pop(), true
		p.taken++
	}
	in := p.admitLocked()
	p.mu.Unlock()
	in.come()
	return job, ok
}
