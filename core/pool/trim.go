package pool

import (
	"slices"
	"time"
)

// A trimmer ends surplus workers, and frees surplus memory, a while after a peak. There is one
// timer for all, and it runs only while there is a surplus: time is not looked at when a worker
// becomes idle.
type trimmer struct {
	timer *time.Timer // nil before the first surplus
	armed bool        // the timer runs, or trim is about to
	least int         // the fewest that were idle at the same time since the timer was armed
}

func (t *trimmer) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// trimLaterLocked arms the timer if there is a surplus and it is not armed.
func (p *Pool[T]) trimLaterLocked() {
	t := &p.trimmer
	if t.armed || len(p.idle) <= p.c.Standby && !p.jobs.spacious() {
		return
	}
	t.armed = true
	t.least = len(p.idle)
	if t.timer == nil {
		t.timer = time.AfterFunc(p.c.IdleTime, p.trim)
	} else {
		t.timer.Reset(p.c.IdleTime)
	}
}

// trim is what the timer calls. Workers are called from the top of the idle stack, so those that
// have been idle ever since the timer was armed are the t.least ones at its bottom.
func (p *Pool[T]) trim() {
	p.mu.lock()
	t := &p.trimmer
	t.armed = false
	if p.state != open {
		p.mu.Unlock()
		return
	}
	var surplus []*worker[T]
	if n := t.least - p.c.Standby; n > 0 {
		surplus = p.idle[:n]
		p.idle = slices.Clone(p.idle[n:]) // the stack shrinks as well
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
		w.wake <- struct{}{}
	}
}
