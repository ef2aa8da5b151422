package park

import (
	"sync"
	"time"
)

// A Class is a reason to wait, which has one timeout for all connections of a Set.
type Class uint8

const (
	None   Class = iota // no deadline
	Hello               // for what a TLS client begins with
	Header              // from the first moment of a request until its header is complete
	Idle                // between requests
	Grace               // before the first request, while the server drains
	Linger              // after the last answer, until the client has closed too
	classes
)

// A waiting list holds the connections of one class, the one that expires first in front: the timeout is
// the same for all, so appending keeps the order.
type waiting struct {
	first, last *Conn
	timeout     time.Duration // zero: no deadline, nothing is listed
}

// A calendar closes what has waited too long. It owns one timer, which is armed while something is listed.
type calendar struct {
	mu     sync.Mutex // guards following, and the links of every Conn
	lists  [classes]waiting
	timer  *time.Timer // nil until the first deadline
	due    int64       // when timer fires, in nanoseconds since epoch; zero if it is not armed
	closed bool
	expire func(*Conn) // takes a connection that has expired
}

var epoch = time.Now()

// nanos returns the time in nanoseconds since the process began, by the monotonic clock.
func nanos() int64 { return int64(time.Since(epoch)) }

// enter puts c on class k's list if k has a timeout, unless it is there already: a class is entered
// when waiting for something begins, and not anew for each byte of it.
func (d *calendar) enter(c *Conn, k Class) {
	if c.class == k {
		return
	}
	if c.class == None && d.lists[k].timeout <= 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unlinkLocked(c)
	w := &d.lists[k]
	if w.timeout <= 0 || d.closed {
		return
	}
	now := nanos()
	c.class, c.deadline = k, now+int64(w.timeout)
	c.prev, c.next = w.last, nil
	if w.last != nil {
		w.last.next = c
	} else {
		w.first = c
	}
	w.last = c
	if d.due == 0 || c.deadline < d.due {
		d.armLocked(c.deadline, now)
	}
}

// leave takes c off its list.
func (d *calendar) leave(c *Conn) {
	if c.class == None {
		return
	}
	d.mu.Lock()
	d.unlinkLocked(c)
	d.mu.Unlock()
}

func (d *calendar) unlinkLocked(c *Conn) {
	if c.class == None {
		return
	}
	w := &d.lists[c.class]
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		w.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		w.last = c.prev
	}
	c.prev, c.next, c.class = nil, nil, None
}

// expired reports whether c's deadline has passed. Only its worker may ask.
func (d *calendar) expired(c *Conn) bool {
	return c.class != None && nanos() >= c.deadline
}

func (d *calendar) armLocked(due, now int64) {
	d.due = due
	wait := time.Duration(max(due-now, 0))
	if d.timer == nil {
		d.timer = time.AfterFunc(wait, d.sweep)
	} else {
		d.timer.Reset(wait)
	}
}

// any reports whether a parked connection waits in class k.
func (d *calendar) any(k Class) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := d.lists[k].first; c != nil; c = c.next {
		if state(c.state.v.Load()) == parked {
			return true
		}
	}
	return false
}

// takeFirst takes the parked connection that has waited in class k for the longest time; nil if there is none.
func (d *calendar) takeFirst(k Class) *Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := d.lists[k].first; c != nil; c = c.next {
		if c.state.do(actTake) {
			d.unlinkLocked(c)
			return c
		}
	}
	return nil
}

// sweep takes every parked connection whose time is up. One that a worker has at the moment is
// left to it: it finds out when it wants to park.
func (d *calendar) sweep() {
	var out []*Conn
	d.mu.Lock()
	now := nanos()
	d.due = 0
	var next int64
	for k := range d.lists {
		for c := d.lists[k].first; c != nil; {
			if c.deadline > now {
				if next == 0 || c.deadline < next {
					next = c.deadline
				}
				break
			}
			after := c.next
			if c.state.do(actTake) {
				d.unlinkLocked(c)
				out = append(out, c)
			}
			c = after
		}
	}
	if next != 0 && !d.closed {
		d.armLocked(next, now)
	}
	d.mu.Unlock()
	for _, c := range out {
		d.expire(c)
	}
}

// stop ends the sweeping for good.
func (d *calendar) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.timer != nil {
		d.timer.Stop()
	}
}
