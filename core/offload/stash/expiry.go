package stash

import (
	"container/heap"
	"math"
	"time"
)

// lock locks m.mu, removes the entries that have expired, and returns the time since m.start. Each
// entry is removed once, so this takes no longer, over time, than the writes.
func (m *Memory) lock() (now time.Duration) {
	m.mu.Lock()
	now = time.Since(m.start)
	for len(m.expiring) > 0 && m.expiring[0].expires <= now {
		m.expired++
		m.removeLocked(m.expiring[0])
	}
	return now
}

// expireLocked has e expire ttl after now, or never if ttl is zero.
func (m *Memory) expireLocked(e *entry, now, ttl time.Duration) {
	before := e.expires
	e.expires = 0
	if ttl > 0 {
		e.expires = now + min(ttl, math.MaxInt64-now)
	}
	switch {
	case before != 0 && ttl > 0:
		heap.Fix(&m.expiring, e.index)
	case before != 0:
		e.expires = before // for the heap, while it moves others
		heap.Remove(&m.expiring, e.index)
		e.expires = 0
	case ttl > 0:
		heap.Push(&m.expiring, e)
	}
}

// expiries is a heap of the entries that expire, the next one first.
type expiries []*entry

func (x expiries) Len() int           { return len(x) }
func (x expiries) Less(i, j int) bool { return x[i].expires < x[j].expires }

func (x expiries) Swap(i, j int) {
	x[i], x[j] = x[j], x[i]
	x[i].index, x[j].index = i, j
}

// Push is called by package heap.
func (x *expiries) Push(e any) {
	e.(*entry).index = len(*x)
	*x = append(*x, e.(*entry))
}

// Pop is called by package heap.
func (x *expiries) Pop() any {
	last := len(*x) - 1
	e := (*x)[last]
	(*x)[last] = nil
	*x = (*x)[:last]
	return e
}
