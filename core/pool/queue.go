package pool

// queuedLocked returns how many jobs are waiting for a worker.
func (p *Pool[T]) queuedLocked() int { return p.jobs.len() + p.front.left() }

// fullLocked reports whether the queue is full, so that no job may be submitted. A worker that is
// not at work makes room: the job that it is going to run does not count as waiting.
func (p *Pool[T]) fullLocked() bool { return p.queuedLocked()+p.busy >= p.limit }

// mayLeadLocked reports whether a worker should lead and none does.
func (p *Pool[T]) mayLeadLocked() bool {
	return p.c.Lead != nil && !p.leading && !p.led && p.state != closed
}

// callLocked picks a worker to wake because there is something to do: the one that became idle
// last, or a new one. It returns nil if there is nothing to do, if no worker is available, or if
// one is already being woken: that one calls callLocked in turn. The caller unlocks the mutex, then
// calls the worker's come.
//
// Code that adds a job, takes one, stops leading or ends a worker must call callLocked under the
// same lock. That makes "the last worker goes to work" and "another one is woken" a single step.
func (p *Pool[T]) callLocked() *worker[T] {
	if p.coming {
		return nil
	}
	return p.chooseLocked()
}

// chooseLocked is the rest of callLocked, which is kept small so that the compiler inlines it.
func (p *Pool[T]) chooseLocked() *worker[T] {
	if p.state == closed {
		return nil
	}
	if !p.mayLeadLocked() && (p.queuedLocked() == 0 || !p.mayWorkLocked()) {
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

// mayWorkLocked reports whether one more worker may be at work. If not, and p is in a group, p is
// in line.
func (p *Pool[T]) mayWorkLocked() bool {
	if p.c.Group == nil {
		return p.busy < p.c.Max
	}
	return !p.groupFull() || !p.fallInLocked()
}

// pickLocked puts w to work on the oldest job, if there is one and w may work. If there are more,
// it lays them out in the front, for w and for other workers.
func (p *Pool[T]) pickLocked(w *worker[T]) (job T, ok bool) {
	switch {
	case p.state == closed:
		return job, false
	case p.c.Group == nil:
		if p.busy >= p.c.Max {
			return job, false
		}
	case p.queuedLocked() == 0 || !w.unitLocked():
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
		p.workLocked(w)
	}
	return job, ok
}

// workLocked marks w as at work.
func (p *Pool[T]) workLocked(w *worker[T]) {
	p.busy++
	w.stage = working
	w.dismissed = false
}

// layOutLocked moves jobs from the ring to the front, which must be empty.
func (p *Pool[T]) layOutLocked() {
	f := p.front
	if f == nil || f.users > 0 { // a user may not have read its job yet
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

// dropLocked removes one user from f. Without users f becomes a spare, unless it is the current
// front.
func (p *Pool[T]) dropLocked(f *front[T]) {
	f.users--
	if f.users == 0 && f != p.front {
		f.spare, p.spare = p.spare, f
	}
}
