package offload

// A worker is the permission to run a task.
type worker struct {
	index int
	queue *waitQueue
	stage stage  // guarded by the pool's mutex, as are the following
	lease *lease // for the resource that it owns; nil if it owns nothing
}

// A lease is the period in which a worker owns one resource, starting when it is being built.
type lease struct {
	w      *worker
	broken bool // guarded by the pool's mutex
}

// A stage says what a worker is doing.
type stage uint8

const (
	idle       stage = iota // on the stack of its queue
	working                 // owned by a call
	restarting              // owned by the supervisor, which opens, replaces or closes its resource
	ended
)

func (p *Pool) setStageLocked(w *worker, to stage) {
	p.staged[w.stage]--
	p.staged[to]++
	w.stage = to
}

// free finds something to do for w, which is new or was restarted.
func (p *Pool) free(w *worker) {
	p.mu.Lock()
	f := p.freeLocked(w)
	p.mu.Unlock()
	p.begin(f)
}

// freeLocked finds something to do for w. The caller must pass the result to begin.
func (p *Pool) freeLocked(w *worker) func() {
	if w.lease != nil && w.lease.broken {
		p.setStageLocked(w, restarting)
		return func() { p.supervisor.restart(w) }
	}
	if c := p.firstLocked(w.queue); c != nil {
		p.dequeueLocked(c)
		return p.giveLocked(c, w)
	}
	switch {
	case p.state == open:
		p.setStageLocked(w, idle)
		w.queue.idle = append(w.queue.idle, w)
	case p.supervisor != nil:
		p.setStageLocked(w, restarting)
		return func() { p.supervisor.end(w) }
	default:
		p.endLocked(w)
	}
	return nil
}

// end ends w, which no longer owns a resource.
func (p *Pool) end(w *worker) {
	p.mu.Lock()
	p.endLocked(w)
	p.mu.Unlock()
}

func (p *Pool) endLocked(w *worker) {
	p.setStageLocked(w, ended)
	if p.staged[ended] == len(p.workers) {
		close(p.done)
	}
}

// markBroken records that the resource of lease l has failed, and reports whether that was not
// known yet. The resource is replaced when its worker is free, which may be at once.
func (p *Pool) markBroken(l *lease) bool {
	w := l.w
	p.mu.Lock()
	if w.lease != l || l.broken || w.stage == ended {
		p.mu.Unlock()
		return false
	}
	l.broken = true
	p.failed++
	var f func()
	if w.stage == idle {
		w.queue.removeIdle(w)
		f = p.freeLocked(w)
	}
	p.mu.Unlock()
	p.begin(f)
	return true
}

// newLease starts the lease for a resource that w is about to build.
func (p *Pool) newLease(w *worker) *lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.lease = &lease{w: w}
	return w.lease
}

// revoke ends the lease of w, so that a failure while the resource is being closed is ignored.
func (p *Pool) revoke(w *worker) {
	p.mu.Lock()
	w.lease = nil
	p.mu.Unlock()
}

// built records the result of building the resource of lease l. After a failed attempt, l is
// broken, so that no further failure is counted.
func (p *Pool) built(l *lease, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ok {
		p.opened++
		return
	}
	if !l.broken {
		p.failed++
	}
	l.broken = true
}
