package offload

// A worker is the permission to run a task.
type worker struct {
	index int
	line  *line
	stage stage  // guarded by the pool's mutex, as are the following
	lease *lease // of what it owns; nil if it owns nothing
}

// A lease is the time for which a worker owns one resource, from the beginning of building it.
type lease struct {
	w      *worker
	broken bool // guarded by the pool's mutex
}

// A stage says what a worker is about.
type stage uint8

const (
	idle    stage = iota // in the stack of its line
	working              // a call has it
	mending              // the keeper has it
	ended
)

func (p *Pool) setStageLocked(w *worker, to stage) {
	p.staged[w.stage]--
	p.staged[to]++
	w.stage = to
}

// free finds w something to do when it was mended, or is new.
func (p *Pool) free(w *worker) {
	p.mu.Lock()
	f := p.freeLocked(w)
	p.mu.Unlock()
	p.begin(f)
}

// freeLocked finds w something to do. What it returns is to be begun.
func (p *Pool) freeLocked(w *worker) func() {
	if w.lease != nil && w.lease.broken {
		p.setStageLocked(w, mending)
		return func() { p.keeper.mend(w) }
	}
	if c := p.firstLocked(w.line); c != nil {
		p.unqueueLocked(c)
		return p.giveLocked(c, w)
	}
	switch {
	case p.state == open:
		p.setStageLocked(w, idle)
		w.line.idle = append(w.line.idle, w)
	case p.keeper != nil:
		p.setStageLocked(w, mending)
		return func() { p.keeper.end(w) }
	default:
		p.endLocked(w)
	}
	return nil
}

// end ends w, which owns nothing any more.
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

// spoil says that what l is for has failed, and reports whether that is news. It is mended when w is free, which
// may be now.
func (p *Pool) spoil(l *lease) bool {
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
		w.line.drop(w)
		f = p.freeLocked(w)
	}
	p.mu.Unlock()
	p.begin(f)
	return true
}

// newLease begins the time for which w owns what is about to be built.
func (p *Pool) newLease(w *worker) *lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.lease = &lease{w: w}
	return w.lease
}

// revoke ends that time: that it fails as it is closed is no news.
func (p *Pool) revoke(w *worker) {
	p.mu.Lock()
	w.lease = nil
	p.mu.Unlock()
}

// built counts what came of an attempt to build what l is for. After one in vain nothing can fail.
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
