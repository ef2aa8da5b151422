package pool

import "context"

// wait queues a job when there is room.
func (p *Pool[T]) wait(ctx context.Context, job T) error {
	p.mu.lock()
	err := p.roomLocked()
	if err == ErrFull {
		w := p.waiters.add(job)
		p.attendLocked()
		p.mu.Unlock()
		select {
		case <-w.wake:
			return p.endWait(w, nil)
		case <-ctx.Done():
			return p.endWait(w, ctx.Err())
		}
	}
	if err == nil { // room was made since TrySubmit looked
		p.jobs.push(job)
	}
	call := p.callLocked()
	p.mu.Unlock()
	call.come()
	return err
}

// endWait returns what has become of w: its verdict, or err if it has none and ctx has ended.
func (p *Pool[T]) endWait(w *waiter[T], err error) error {
	p.mu.lock()
	if err != nil && w.verdict != pending { // both happened, and the token may still be on its way
		p.mu.Unlock()
		<-w.wake
		p.mu.lock()
	}
	var in *waiter[T]
	switch w.verdict {
	case pending:
		p.waiters.remove(w)
	case admitted:
		err = nil
		p.waiters.coming = false
		in = p.admitLocked()
	case refused:
		err = ErrClosed
	}
	p.waiters.free(w)
	p.attendLocked()
	call := p.callLocked()
	p.mu.Unlock()
	in.come()
	call.come()
	return err
}

// admitLocked lets in the waiter that came first, if there is room. The caller must unlock the
// mutex and call its come. Whoever makes room, by ending work, must call admitLocked under the
// same lock.
//
// As with workers, only one is on the way: it lets in the next one when it has arrived. A
// submitter that is faster than the workers then finds room for many jobs, instead of being woken
// for each.
func (p *Pool[T]) admitLocked() *waiter[T] {
	l := &p.waiters
	w := l.first
	if w == nil || l.coming || p.fullLocked() {
		return nil
	}
	l.remove(w)
	l.coming = true
	w.verdict = admitted
	p.jobs.push(w.job)
	p.attendLocked()
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
	p.attendLocked()
}

// attendLocked sets p.attend: whether a waiter is to be let in as soon as there is room.
func (p *Pool[T]) attendLocked() {
	if a := p.waiters.n > 0 && !p.waiters.coming; a != p.attend.Load() {
		p.attend.Store(a)
	}
}
