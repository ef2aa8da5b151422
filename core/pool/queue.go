package pool

// queuedLocked returns how many jobs are waiting for a worker.
func (p *Pool[T]) queuedLocked() int { return p.jobs.len() + p.front.len() }

// fullLocked reports whether the queue is full, so that no job may be submitted. A worker that is
// not at work makes room: the job that it is going to run does not count as waiting.
func (p *Pool[T]) fullLocked() bool { return p.queuedLocked()+min(p.busy, p.c.Max) >= p.limit }

// needsLeaderLocked reports whether a worker should lead and none does.
func (p *Pool[T]) needsLeaderLocked() bool {
	return p.c.Lead != nil && !p.leading && !p.leadEnded && p.state != closed
}

// pickWorkerLocked picks a worker to wake because there is something to do: the one that became
// idle last, or else one that is idle in another pool of the group, or a new one. It returns nil if
// there is nothing to do, if no worker is available, or if one is already being woken: that one
// calls pickWorkerLocked in turn. The caller unlocks the mutex, then wakes the worker.
//
// Code that adds a job, takes one, stops leading or ends a worker must call pickWorkerLocked under
// the same lock. That makes "the last worker goes to work" and "another one is woken" a single
// step.
func (p *Pool[T]) pickWorkerLocked() *worker[T] {
	if p.waking {
		return nil
	}
	return p.pickWorkerSlowLocked()
}

// pickWorkerSlowLocked is the rest of pickWorkerLocked, which is kept small so that the compiler
// inlines it.
func (p *Pool[T]) pickWorkerSlowLocked() *worker[T] {
	if p.state == closed {
		return nil
	}
	if !p.needsLeaderLocked() && (p.queuedLocked() == 0 || !p.mayWorkLocked()) {
		return nil
	}
	w := p.popIdleLocked()
	if w == nil {
		if p.workers >= p.maxWorkers {
			return nil
		}
		if w = p.adoptLocked(); w == nil {
			w = &worker[T]{pool: p, ready: make(chan struct{}, 1)}
			p.started++
		}
		p.workers++
	}
	p.waking = true
	w.waking = true
	return w
}

// popIdleLocked takes the worker that became idle last from the idle stack. It returns nil if there
// is none.
func (p *Pool[T]) popIdleLocked() *worker[T] {
	top := len(p.idle) - 1
	if top < 0 {
		return nil
	}
	w := p.idle[top]
	p.idle[top] = nil
	p.idle = p.idle[:top]
	p.trimmer.minIdle = min(p.trimmer.minIdle, top)
	return w
}

// mayWorkLocked reports whether one more worker may be at work. If not, and p is in a group, p is
// in the group's queue.
func (p *Pool[T]) mayWorkLocked() bool {
	if p.c.Group == nil {
		return p.busy < p.c.Max
	}
	return !p.groupFull() || !p.awaitPermitLocked()
}

// startJobLocked puts w to work on the oldest job, if there is one and w may work. If there are
// more, it moves some of them to the front, for w and for other workers.
func (p *Pool[T]) startJobLocked(w *worker[T]) (job T, ok bool) {
	switch {
	case p.state == closed:
		return job, false
	case p.c.Group == nil:
		if p.busy >= p.c.Max {
			return job, false
		}
	case p.queuedLocked() == 0 || !w.acquireLocked():
		return job, false
	}
	if p.front.len() > 0 {
		if job, ok = p.front.take(); ok {
			w.addUserLocked(p.front)
		}
	}
	if !ok && p.jobs.len() > 0 {
		job, ok = p.jobs.pop(), true
		p.taken++
		if p.jobs.len() > 0 {
			p.refillFrontLocked()
			w.addUserLocked(p.front)
		}
	}
	if ok {
		p.setWorkingLocked(w)
	}
	return job, ok
}

// setWorkingLocked marks w as at work.
func (p *Pool[T]) setWorkingLocked(w *worker[T]) {
	p.busy++
	w.stage = working
	w.dismissed = false
}

// refillFrontLocked moves jobs from the ring to the front, which must be empty.
func (p *Pool[T]) refillFrontLocked() {
	b := p.front
	if b == nil || b.users > 0 { // a user may not have read its job yet
		if b = p.spare; b != nil {
			p.spare, b.spare = b.spare, nil
		} else {
			b = new(claimBatch[T])
		}
		p.front = b
	}
	n := p.jobs.move(b.jobs[:])
	p.taken += uint64(n)
	b.cursor.reset(n)
}

// removeUserLocked removes one user from f. Without users f becomes a spare, unless it is the
// current front.
func (p *Pool[T]) removeUserLocked(b *claimBatch[T]) {
	b.users--
	if b.users == 0 && b != p.front {
		b.spare, p.spare = p.spare, b
	}
}
