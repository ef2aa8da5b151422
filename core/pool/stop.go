package pool

import (
	"context"
	"fmt"
)

// Shutdown stops the pool gracefully: no more jobs may be submitted, queued jobs are run, and the
// workers end. It returns nil when the last worker has ended. If ctx ends first it returns an error
// that wraps ctx's and says what is left; the pool continues with that, until Close is called.
//
// A pool that leads has drained only when Lead has returned an error. So stop the source of its
// work, call Shutdown, and make Lead return an error when no more work can come: at the latest when
// ctx ends.
//
// Shutdown must not be called from a job, since it would wait for itself.
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
	if s.Workers+s.Paused == 0 && s.Queued == 0 {
		return nil
	}
	leader := ""
	if s.Leading {
		leader = ", Lead has not returned"
	}
	paused := ""
	if s.Paused > 0 {
		paused = fmt.Sprintf(", %d paused", s.Paused)
	}
	return fmt.Errorf("pool: shutdown: %d jobs queued, %d at work%s%s: %w", s.Queued, s.Busy, paused, leader, ctx.Err())
}

// Close stops the pool at once: no further job is started, and the queued ones are returned, oldest
// first. Idle workers end. Close does not wait for jobs at work, nor for a worker that leads: these
// workers end when Work or Lead returns, and Done reports when all have.
//
// Jobs that Lead returns after Close stay queued; call Close again to get them. So, to miss none:
// make Lead return an error, call Close, wait for Done, and call Close again.
func (p *Pool[T]) Close() []T {
	p.mu.lock()
	defer p.mu.Unlock()
	p.setStateLocked(closed)
	jobs := p.front.drain()
	p.taken -= uint64(len(jobs))
	for p.jobs.len() > 0 {
		jobs = append(jobs, p.jobs.pop())
	}
	p.finishLocked()
	return jobs
}

// Done returns a channel that is closed once the pool has been stopped, by Shutdown or Close, and
// all its workers have ended.
func (p *Pool[T]) Done() <-chan struct{} { return p.done }
