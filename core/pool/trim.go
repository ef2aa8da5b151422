package pool

import (
	"slices"
	"time"
)

// An idleTrimmer ends surplus workers, and frees surplus memory, some time after a peak. There is
// one timer for all workers, and it runs only while there is a surplus, so a worker that becomes
// idle does not read the clock.
type idleTrimmer struct {
	timer   *time.Timer // nil before the first surplus
	armed   bool        // the timer is running, or trim is about to run
	minIdle int         // the fewest workers idle at the same time since the timer was armed
}

func (t *idleTrimmer) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// trimLaterLocked arms the timer if there is a surplus and the timer is not armed.
func (p *Pool[T]) trimLaterLocked() {
	t := &p.trimmer
	if t.armed || len(p.idle) <= int(p.standby.Load()) && !p.jobs.grown() {
		return
	}
	t.armed = true
	t.minIdle = len(p.idle)
	if t.timer == nil {
		t.timer = time.AfterFunc(p.c.IdleTime, p.trim)
	} else {
		t.timer.Reset(p.c.IdleTime)
	}
}

// trim is called by the timer. Workers are woken from the top of the idle stack, so the t.minIdle
// ones at its bottom have been idle ever since the timer was armed.
func (p *Pool[T]) trim() {
	p.mu.lock()
	t := &p.trimmer
	t.armed = false
	if p.state != open {
		p.mu.Unlock()
		return
	}
	var surplus []*worker[T]
	if n := t.minIdle - int(p.standby.Load()); n > 0 {
		surplus = p.idle[:n]
		p.idle = slices.Clone(p.idle[n:]) // the stack's memory shrinks as well
		surplus = p.giveLocked(surplus)
	}
	for _, w := range surplus {
		w.dismissed = true
	}
	p.jobs.shrink()
	p.spare = nil
	p.waiters.spare = nil
	p.trimLaterLocked()
	p.mu.Unlock()
	for _, w := range surplus {
		w.ready <- struct{}{}
	}
}
