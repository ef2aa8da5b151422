package offload

import "time"

// A lease is the period in which a worker owns one resource, starting when it is being built. A
// resource that is built to replace another one has a lease before it has a worker.
type lease struct {
	self any // the resource: an *owned

	// The following are guarded by the pool's mutex.
	w        *worker        // nil for a spare
	began    time.Time      // when the resource was ready; zero before that
	broken   bool           // the resource has failed, or could not be built
	worn     error          // why the resource is to be replaced though it has not failed, or nil
	asked    int            // calls of Restart that wait until it is replaced
	over     bool           // the resource is about to be closed, or is closed
	checking chan struct{}  // closed when a check by a timer has ended; nil if there is none
	timers   [2]*time.Timer // by purpose; nil if there is none

	gone chan struct{} // closed when the worker has another resource, or has ended
}

// The purposes of a lease's timers.
const (
	ageTimer = iota
	checkTimer
)

// isWorn reports whether the resource is to be replaced though it has not failed.
func (l *lease) isWorn() bool { return l.worn != nil || l.asked > 0 }

// isGood reports whether the resource, if it was built, may stay in use.
func (l *lease) isGood() bool { return !l.broken && !l.isWorn() }

func newLease(self any) *lease { return &lease{self: self, gone: make(chan struct{})} }

// settleLocked wakes those that wait until the worker has another resource, or has ended.
func (l *lease) settleLocked() {
	if l != nil && !l.isSettled() {
		close(l.gone)
	}
}

// isSettled reports whether the worker has another resource, or has ended.
func (l *lease) isSettled() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// markBroken records that the resource of lease l has failed, and reports whether that was not
// known yet. The resource is replaced when its worker is free, which may be at once.
func (p *pool) markBroken(l *lease) bool {
	p.mu.Lock()
	if l.over || l.broken {
		p.mu.Unlock()
		return false
	}
	l.broken = true
	p.failed++
	if w := l.w; w != nil && w.stage == idle {
		p.reassignLocked(w)
	}
	p.renewLocked()
	p.unlock(nil)
	return true
}

// assign gives the lease of a resource that is about to be built to w.
func (p *pool) assign(l *lease, w *worker) {
	p.mu.Lock()
	l.w = w
	w.lease = l
	p.mu.Unlock()
}

// revoke ends lease l, so that a failure while the resource is being closed is ignored, and waits
// until no timer checks the resource any more.
func (p *pool) revoke(l *lease) {
	p.mu.Lock()
	l.over = true
	for _, t := range l.timers {
		if t != nil {
			t.Stop()
		}
	}
	if w := l.w; w != nil && w.lease == l {
		w.lease = nil
	}
	checking := l.checking
	p.renewLocked()
	p.unlock(nil)
	if checking != nil {
		<-checking
	}
}

// built records the result of building the resource of lease l. After a failed attempt, l is
// broken, so that no further failure is counted.
func (p *pool) built(l *lease, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ok {
		p.opened++
		l.began = time.Now()
		return
	}
	if !l.broken {
		p.failed++
	}
	l.broken = true
	l.settleLocked()
}

// arm has f, which is always the same for a purpose, called after d, unless the lease is over then.
func (p *pool) arm(l *lease, purpose int, d time.Duration, f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch t := l.timers[purpose]; {
	case l.over:
	case t == nil:
		l.timers[purpose] = time.AfterFunc(d, f)
	default:
		t.Reset(d)
	}
}

// beginCheck reports whether the resource of l may be looked at by a timer. If so, the resource is
// not closed before endCheck.
func (p *pool) beginCheck(l *lease) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.over || l.worn != nil {
		return false
	}
	l.checking = make(chan struct{})
	return true
}

func (p *pool) endCheck(l *lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(l.checking)
	l.checking = nil
}

// oldestLocked returns when the oldest resource in use was ready, or zero if there is none.
func (p *pool) oldestLocked() (t time.Time) {
	for _, w := range p.workers {
		if l := w.lease; l != nil && !l.began.IsZero() && (t.IsZero() || l.began.Before(t)) {
			t = l.began
		}
	}
	return t
}
