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
	submitter := p.admitLocked() // w itself, if there is room since TrySubmit failed
	picked := p.pickWorkerLocked()
	p.mu.Unlock()
	submitter.wake()
	picked.wake()
	select {
	case <-w.ready:
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
		<-w.ready
		p.mu.lock()
	}
	switch w.verdict {
	case pending:
		p.waiters.remove(w)
	case admitted:
		err = nil
		p.waiters.waking = false
	case refused:
		err = ErrClosed
	}
	p.waiters.free(w)
	submitter := p.admitLocked()
	picked := p.pickWorkerLocked()
	p.mu.Unlock()
	submitter.wake()
	picked.wake()
	return err
}

// admit admits a waiter, if there is one and room for it. A worker calls it if p.needsRoom is set
// after it has made room by taking a job from a claimBatch.
func (p *Pool[T]) admit() {
	p.mu.lock()
	submitter := p.admitLocked()
	picked := p.pickWorkerLocked()
	p.mu.Unlock()
	submitter.wake()
	picked.wake()
}

// admitLocked admits the oldest waiter, if there is room. The caller must unlock the mutex, then
// wake the waiter. Code that changes the list of waiters, or makes room by ending work, must call
// admitLocked under the same lock.
//
// As with workers, only one waiter is being woken at a time: once awake, it admits the next. A
// submitter that is faster than the workers then finds room for many jobs, instead of being woken
// for each.
func (p *Pool[T]) admitLocked() *waiter[T] {
	l := &p.waiters
	waits := l.first != nil && !l.waking
	// This comes before the check for room: a worker that makes room without the mutex, by taking a
	// job from the front after the check, looks at needsRoom after that.
	p.setNeedsRoomLocked(waits)
	if !waits || p.fullLocked() {
		return nil
	}
	w := l.first
	l.remove(w)
	l.waking = true
	w.verdict = admitted
	p.jobs.push(w.job)
	p.setNeedsRoomLocked(false)
	return w
}

// refuseLocked refuses all waiters.
func (p *Pool[T]) refuseLocked() {
	l := &p.waiters
	for w := l.first; w != nil; w = l.first {
		l.remove(w)
		w.verdict = refused
		w.wake()
	}
	p.setNeedsRoomLocked(false)
}

// setNeedsRoomLocked stores v only if it has changed, since all workers read p.needsRoom all the
// time.
func (p *Pool[T]) setNeedsRoomLocked(v bool) {
	if p.needsRoom.Load() != v {
		p.needsRoom.Store(v)
	}
}
