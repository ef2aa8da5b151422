package pool

import "context"

// wait queues a job when there is room.
func (p *Pool[T]) wait(ctx context.Context, job T) error {
	p.mu.lock()
	if p.state != open {
		p.mu.Unlock()
		return ErrClosed
	}
	w := p.waiters.add(job)
	in := p.admitLocked() // w itself, if room was made since TrySubmit looked
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

// endWait returns what has become of w: its verdict, or err if it has none and ctx has ended.
func (p *Pool[T]) endWait(w *waiter[T], err error) error {
	p.mu.lock()
	if err != nil && w.verdict != pending { // both happened, and the token may still be on its way
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

// letIn lets a waiter in, if there is one and room. Workers call it when they have made room by
// taking a job from a front, and p.attend is set.
func (p *Pool[T]) letIn() {
	p.mu.lock()
	in := p.admitLocked()
	call := p.callLocked()
	p.mu.Unlock()
	in.come()
	call.come()
}

// admitLocked lets in the waiter that came first, if there is room. The caller must unlock the
// mutex and call the waiter's come. Whoever changes the list of waiters, or makes room by ending
// work, must call admitLocked under the same lock.
//
// As with workers, only one is on the way: it lets in the next one when it has arrived. A
// submitter that is faster than the workers then finds room for many jobs, instead of being woken
// for each.
func (p *Pool[T]) admitLocked() *waiter[T] {
	l := &p.waiters
	waits := l.first != nil && !l.coming
	// Before looking for room: a worker that takes a job from the front after we have looked, and
	// so makes room without the mutex, looks at attend after that.
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

// refuseLocked turns all waiters away.
func (p *Pool[T]) refuseLocked() {
	l := &p.waiters
	for w := l.first; w != nil; w = l.first {
		l.remove(w)
		w.verdict = refused
		w.come()
	}
	p.setAttendLocked(false)
}

// setAttendLocked stores only what is new, since all workers read p.attend all the time.
func (p *Pool[T]) setAttendLocked(v bool) {
	if p.attend.Load() != v {
		p.attend.Store(v)
	}
}
