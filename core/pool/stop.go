package pool

import "context"

// Shutdown stops the pool when it has done its work: no more jobs may be submitted, those that are
// queued are done, and the workers end. It returns nil when the last one has ended. If ctx ends
// first it returns a [*ShutdownError], which says how many jobs are left; the pool goes on with
// them, and Close may end that.
//
// A pool that leads is drained when Lead has returned an error. So stop what feeds it, then call
// Shutdown, and make Lead return an error when no more work can come: at the latest when ctx ends.
//
// Shutdown must not be called from a job: it would wait for itself.
func (p *Pool[T]) Shutdown(ctx context.Context) error {
	p.mu.lock()
	p.setStateLocked(draining)
	p.mu.Unlock()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	s := p.Stats()
	if s.Workers == 0 {
		return nil
	}
	return &ShutdownError{Queued: s.Queued, Busy: s.Busy, Leading: s.Leading, Err: ctx.Err()}
}

// Close stops the pool at once: no job is begun any more, and those that are queued are handed
// back, oldest first. Idle workers end. Close does not wait for jobs at work, nor for a worker
// that leads: they end when Work or Lead returns, and Done says when all have.
//
// What a leader brings after Close stays queued; Close may be called again to be handed that. So,
// to miss none: make Lead return an error, Close, wait for Done, Close.
func (p *Pool[T]) Close() []T {
	p.mu.lock()
	defer p.mu.Unlock()
	p.setStateLocked(closed)
	jobs := p.front.seize()
	p.taken -= uint64(len(jobs))
	for p.jobs.len() > 0 {
		jobs = append(jobs, p.jobs.pop())
	}
	return jobs
}

// Done returns a channel that is closed when the pool was stopped, by Shutdown or Close, and all
// its workers have ended.
func (p *Pool[T]) Done() <-chan struct{} { return p.done }
