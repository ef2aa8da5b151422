package pool

import "context"

// wait queues a job as soon as there is room.
func (p *Pool[T]) wait(ctx context.Context, job T) error {
	p.mu.lock()
	if p.state != open {
		p.mu.Unlock()
		return ErrClosed
	}
	w := p.waiters.add(job)
	in := p.admitLocked() // w itself, if there is room since submit failed
	call := p.callLocked()
	p.mu.Unlock()
	in.come()
	call.come()
	select {
	case <-w.wake:
		return p.endWait(w, nil)
	case <-ctx.Done():
		return p.endWait(w, ctx.Err())
	}
}

// endWait returns the outcome of w: its verdict, or err if it has none and ctx has ended.
func (p *Pool[T]) endWait(w *waiter[T], err error) error {
	p.mu.lock()
	if err != nil && w.verdict != pending { // both happened, and the token may not be sent yet
		p.mu.Unlock()
		<-w.wake
		p.mu.lock()
	}
	switch w.verdict {
	case pending:
		p.waiters.remove(w)
	case admitted:
		err = nil
		p.waiters.coming = false
	case refused:
		err = ErrClosed
	}
	p.waiters.free(w)
	in := p.admitLocked()
	call := p.callLocked()
	p.mu.Unlock()
	in.come()
	call.come()
	return err
}

// letIn admits a waiter, if there is one and room for it. A worker calls it if p.attend is set
// after it has made room by taking a job from a front.
func (p *Pool[T]) letIn() {
	p.mu.lock()
	in := p.admitLocked()
	call := p.callLocked()
	p.mu.Unlock()
	in.come()
	call.come()
}

// admitLocked admits the oldest waiter, if there is room. The caller must unlock the mutex and call
// the waiter's come. Code that changes the list of waiters, or makes room by ending work, must call
// admitLocked under the same lock.
//
// As with workers, only one waiter is being woken at a time: once awake, it admits the next. A
// submitter that is faster than the workers then finds room for many jobs, instead of being woken
// for each.
func (p *Pool[T]) admitLocked() *waiter[T] {
	l := &p.waiters
	waits := l.first != nil && !l.coming
	// This comes before the check for room: a worker that makes room without the mutex, by taking a
	// job from the front after the check, looks at attend after that.
	p.setAttendLocked(waits)
	if !waits || p.fullLocked() {
		return nil
	}
	w := l.first
	l.remove(w)
	l.coming = true
	w.verdict = admitted
	p.jobs.push(w.job)
	p.setAttendLocked(false)
	return w
}

// refuseLocked refuses all waiters.
func (p *Pool[T]) refuseLocked() {
	l := &p.waiters
	for w := l.first; w != nil; w = l.first {
		l.remove(w)
		w.verdict = refused
		w.come()
	}
	p.setAttendLocked(false)
}

// setAttendLocked stores v only if it has changed, since all workers read p.attend all the time.
func (p *Pool[T]) setAttendLocked(v bool) {
	if p.attend.Load() != v {
		p.attend.Store(v)
	}
}
