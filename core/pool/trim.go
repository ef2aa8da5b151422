package pool

import (
	"slices"
	"time"
)

type trimmer struct {
	timer   *time.Timer
	armed   bool
	standby int
	least   int
}

func (t *trimmer) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

func (p *Pool[T]) trimLaterLocked() {
	t := &p.trimmer
	if t.armed || len(p.idle) <= t.standby && !p.jobs.spacious() {
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

func (p *Pool[T]) trim() {
	p.lock()
	t := &p.trimmer
	t.armed = false
	if p.state != open {
		p.mu.Unlock()
		return
	}
	var gone []*worker[T]
	if n := t.least - t.standby; n > 0 {
		gone = slices.Clone(p.idle[:n])
		for _, w := range gone {
			w.dismissed = true
		}
		p.idle = slices.Delete(p.idle, 0, n)
	}
	p.jobs.shrink()
	p.spare = nil
	p.trimLaterLocked()
	p.mu.Unlock()
	for _, w := range gone {
		w.wake <- struct{}{}
	}
}
