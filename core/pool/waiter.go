package pool

import "context"

// A waiter is a Submit that waits for room. It is in the pool's list until it is let in, refused or gives up.
type waiter[T any] struct {
	job        T
	verdict    verdict
	wake       chan struct{} // holds a token as soon as the verdict is passed on; capacity one
	prev, next *waiter[T]
}

type verdict int

const (
	waiting verdict = iota
	admitted
	refused
)

type waiters[T any] struct {
	first, last *waiter[T]
	n           int
	spare       *waiter[T]
	admitting   bool
}

func (l *waiters[T]) add(job T) *waiter[T] {
	w := l.spare
	if w == nil {
		w = &waiter[T]{wake: make(chan struct{}, 1)}
	} else {
		l.spare = w.next
	}
	w.job, w.verdict, w.prev, w.next = job, waiting, l.last, nil
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
	l.n++
	return w
}

func (l *waiters[T]) remove(w *waiter[T]) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	l.n--
}

func (l *waiters[T]) free(w *waiter[T]) {
	var zero T
	w.job = zero
	w.prev, w.next, l.spare = nil, l.spare, w
}

func (w *waiter[T]) come() {
	if w != nil {
		w.wake <- struct{}{}
	}
}

func (p *Pool[T]) waitLocked(ctx context.Context, job T) error {
	if p.state != open {
		p.mu.Unlock()
		return ErrClosed
	}
	if !p.fullLocked() {
		p.jobs.push(job)
		w := p.callLocked()
		p.mu.Unlock()
		w.come()
		return nil
	}
	w := p.waiters.add(job)
	if !p.waiters.admitting {
		p.attend.Store(true)
	}
	p.mu.Unlock()
	told := false
	select {
	case <-w.wake:
		told = true
	case <-ctx.Done():
	}
	p.lock()
	v := w.verdict
	if v == waiting {
		p.waiters.remove(w)
		p.waiters.free(w)
		p.attendLocked()
		p.mu.Unlock()
		return ctx.Err()
	}
	if !told {
		p.mu.Unlock()
		<-w.wake
		p.lock()
	}
	p.waiters.free(w)
	var in *waiter[T]
	var call *worker[T]
	if v == admitted {
		p.waiters.admitting = false
		in = p.admitLocked()
		call = p.callLocked()
	}
	p.mu.Unlock()
	in.come()
	call.come()
	if v == refused {
		return ErrClosed
	}
	return nil
}

func (p *Pool[T]) attendLocked() {
	a := p.state == closed || p.waiters.n > 0 && !p.waiters.admitting
	if p.attend.Load() != a {
		p.attend.Store(a)
	}
}

func (p *Pool[T]) admitLocked() *waiter[T] {
	l := &p.waiters
	if l.first == nil || l.admitting {
		return nil
	}
	if p.fullLocked() || p.state != open {
		p.attendLocked()
		return nil
	}
	w := l.first
	l.remove(w)
	w.verdict = admitted
	l.admitting = true
	p.jobs.push(w.job)
	p.attendLocked()
	return w
}

func (p *Pool[T]) refuseLocked() {
	l := &p.waiters
	for w := l.first; w != nil; w = l.first {
		l.remove(w)
		w.verdict = refused
		w.wake <- struct{}{}
	}
	p.attendLocked()
}
