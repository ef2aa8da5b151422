package pool

// queuedLocked returns how many jobs wait for a worker.
func (p *Pool[T]) queuedLocked() int { return p.jobs.len() + p.front.left() }

// fullLocked reports whether no job may be submitted. A worker that is not at work makes room: the
// job that it is going to do does not wait.
func (p *Pool[T]) fullLocked() bool { return p.queuedLocked()+p.busy >= p.limit }

// mayLeadLocked reports whether somebody should lead and nobody does.
func (p *Pool[T]) mayLeadLocked() bool {
	return p.c.Lead != nil && !p.leading && !p.led && p.state != closed
}

// callLocked returns the worker that has to come because there is something to do: the one that
// has been idle for the shortest time, or a new one. It returns nil if there is nothing to do, if
// nobody could, or if somebody is on the way: that one calls the next when it has arrived. The
// caller must unlock the mutex and call the worker's come.
//
// Whoever adds a job, takes one, stops leading or ends must call callLocked under the same lock.
// So "the last one goes to work" and "another one is coming" are one step.
func (p *Pool[T]) callLocked() *worker[T] {
	if p.coming {
		return nil
	}
	return p.chooseLocked()
}

// chooseLocked is the rest of callLocked, which is small so that the compiler inlines it.
func (p *Pool[T]) chooseLocked() *worker[T] {
	if p.state == closed {
		return nil
	}
	if !p.mayLeadLocked() && (p.busy >= p.c.Max || p.queuedLocked() == 0) {
		return nil
	}
	var w *worker[T]
	switch top := len(p.idle) - 1; {
	case top >= 0:
		w = p.idle[top]
		p.idle[top] = nil
		p.idle = p.idle[:top]
		p.trimmer.least = min(p.trimmer.least, top)
	case p.workers < p.most:
		w = &worker[T]{pool: p, wake: make(chan struct{}, 1)}
		p.workers++
		p.started++
		p.placeLocked(w)
	default:
		return nil
	}
	p.coming = true
	w.called = true
	return w
}

// pickLocked puts w to work on the oldest job, if there is one and w may. If there are more, they
// are laid out, for w and whoever comes.
func (p *Pool[T]) pickLocked(w *worker[T]) (job T, ok bool) {
	if p.busy >= p.c.Max || p.state == closed {
		return job, false
	}
	if p.front.left() > 0 {
		if job, ok = p.front.take(); ok {
			w.useLocked(p.front)
		}
	}
	if !ok && p.jobs.len() > 0 {
		job, ok = p.jobs.pop(), true
		p.taken++
		if p.jobs.len() > 0 {
			p.layOutLocked()
			w.useLocked(p.front)
		}
	}
	if ok {
		p.busy++
		w.stage = working
		w.dismissed = false
	}
	return job, ok
}

// layOutLocked moves jobs from the ring to the front, in which none must be left.
func (p *Pool[T]) layOutLocked() {
	f := p.front
	if f == nil || f.users > 0 { // a user may not have read yet what it took
		if f = p.spare; f != nil {
			p.spare, f.spare = f.spare, nil
		} else {
			f = new(front[T])
		}
		p.front = f
	}
	n := p.jobs.move(f.jobs[:])
	p.taken += uint64(n)
	f.turn.open(n)
}

// dropLocked takes one user from f. Without users f is spare, unless it is the current front.
func (p *Pool[T]) dropLocked(f *front[T]) {
	f.users--
	if f.users == 0 && f != p.front {
		f.spare, p.spare = p.spare, f
	}
}
