package offload

import (
	"slices"
	"time"
)

// A line is a queue of calls and the idle workers that serve it. Never are there both. All of it is guarded
// by the pool's mutex.
type line struct {
	idle        []*worker // a stack: the last has been idle for the shortest time, and what it owns is in the caches
	first, last *call
}

// pop takes the worker that was idle for the shortest time, or nil.
func (l *line) pop() *worker {
	n := len(l.idle) - 1
	if n < 0 {
		return nil
	}
	w := l.idle[n]
	l.idle = l.idle[:n]
	return w
}

func (l *line) drop(w *worker) {
	i := slices.Index(l.idle, w)
	l.idle = slices.Delete(l.idle, i, i+1)
}

func (l *line) push(c *call) {
	c.line, c.prev = l, l.last
	if l.last == nil {
		l.first = c
	} else {
		l.last.next = c
	}
	l.last = c
}

func (l *line) remove(c *call) {
	if c.prev == nil {
		l.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		l.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
}

// nextLineLocked returns the line for a call that comes now.
func (p *Pool) nextLineLocked() *line {
	l := &p.lines[p.turn]
	p.turn = (p.turn + 1) % len(p.lines)
	return l
}

func (p *Pool) queueLocked(l *line, c *call) {
	if d, limited := p.c.patience(); limited {
		c.expires = time.Now().Add(d)
	}
	l.push(c)
	p.queued++
}

func (p *Pool) unqueueLocked(c *call) {
	c.line.remove(c)
	p.queued--
	p.enoughLocked()
}

// firstLocked returns the call in l that has waited longest, or nil. It refuses those that have waited too long: their
// own timers may be behind when the processors are busy.
func (p *Pool) firstLocked(l *line) *call {
	for l.first != nil {
		c := l.first
		if c.expires.IsZero() || time.Now().Before(c.expires) {
			return c
		}
		p.refuseLocked(c, late)
	}
	return nil
}
