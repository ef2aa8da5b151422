package offload

import (
	"slices"
	"time"
)

// A line is a queue of calls together with the idle workers that serve it. At any time one of the
// two is empty. All of it is guarded by the pool's mutex.
type line struct {
	// idle is a stack: the last worker became idle last, and what it owns is still in the caches.
	idle        []*worker
	first, last *call
}

// pop removes and returns the worker that became idle last, or nil.
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

// nextLineLocked returns the line for a new call.
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

// firstLocked returns the call in l that has waited longest, or nil. It refuses calls that have
// waited too long: their own timers may fire late when the processors are busy.
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
