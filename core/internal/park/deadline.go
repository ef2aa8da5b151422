package park

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/clock"
)

// A Class is a reason to wait, which the user of this package defines. Each class has one timeout
// for all connections of a Set.
type Class uint8

const (
	None       Class = iota // no deadline
	NumClasses       = 8    // the number of classes, including None
)

// waiting is the list of the connections of one class, ordered by deadline: the timeout is the same
// for all, so appending keeps the order.
type waiting struct {
	first, last *Conn
	timeout     time.Duration // zero: no deadline, the list stays empty
}

// deadlines tracks how long connections wait, and expires those that have waited too long. It owns
// one timer, which is armed while a connection is listed.
type deadlines struct {
	mu      sync.Mutex // guards following, and the links of every Conn
	lists   [NumClasses]waiting
	timer   *time.Timer // nil until the first deadline
	sweeper *sweeper    // what timer calls
	due     int64       // when timer fires, in nanoseconds since epoch; zero if it is not armed
	closed  bool
	expire  func(*Conn) // called with each connection that has expired
}

// A sweeper is all that a timer refers to. The runtime may keep a stopped timer until the time at
// which it would have fired. If the timer referred to the deadlines, it would keep them, and
// through them the server and its handler, for as long as an idle connection may wait.
type sweeper struct{ of atomic.Pointer[deadlines] } // nil once stopped

func (s *sweeper) sweep() {
	if d := s.of.Load(); d != nil {
		d.sweep()
	}
}

// longAgo is a deadline that has passed, also by a clock that is years behind, as in package
// testing/synctest.
var longAgo = time.Unix(1, 0)

// epoch is when nanos was zero.
var epoch = clock.Time(0)

// nanos returns the time in nanoseconds since epoch, by the monotonic clock.
func nanos() int64 { return clock.Now() }

// SetTimeout sets the timeout of class k, which no connection has been in yet: see Config.Timeouts.
func (s *Set) SetTimeout(k Class, t time.Duration) {
	s.deadlines.mu.Lock()
	defer s.deadlines.mu.Unlock()
	s.deadlines.lists[k].timeout = t
}

// enter puts c on the list of class k if k has a timeout, unless c is on it already: the wait
// begins once, not again with each byte that arrives. It reports whether a wait that began earlier
// goes on.
func (d *deadlines) enter(c *Conn, k Class) (earlier bool) {
	if c.class == k {
		return true
	}
	if c.class == None && d.lists[k].timeout <= 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unlinkLocked(c)
	w := &d.lists[k]
	if w.timeout <= 0 || d.closed {
		return false
	}
	now := nanos()
	c.class, c.deadline = k, after(now, w.timeout)
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
	return false
}

// leave removes c from its list.
func (d *deadlines) leave(c *Conn) {
	if c.class == None {
		return
	}
	d.mu.Lock()
	d.unlinkLocked(c)
	d.mu.Unlock()
}

func (d *deadlines) unlinkLocked(c *Conn) {
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

// expired reports whether c's deadline has passed. Only c's worker may call it.
func (d *deadlines) expired(c *Conn) bool {
	return c.class != None && nanos() >= c.deadline
}

func (d *deadlines) armLocked(due, now int64) {
	d.due = due
	wait := time.Duration(max(due-now, 0))
	if d.timer == nil {
		d.sweeper = new(sweeper)
		d.sweeper.of.Store(d)
		d.timer = time.AfterFunc(wait, d.sweeper.sweep)
	} else {
		d.timer.Reset(wait)
	}
}

// maxLooks is how many connections of a class may be asked whether they are quiet, in one search.
const maxLooks = 8

// longestLocked returns the parked connection that has waited longest in any of the classes, and
// since when. If quiet is set, it leaves out connections that have something to read: they are
// about to resume. It returns nil if there is none.
func (d *deadlines) longestLocked(quiet bool, classes []Class) (longest *Conn, since int64) {
	for _, k := range classes {
		w := &d.lists[k]
		looks := 0
		for c := w.first; c != nil && looks < maxLooks; c = c.next {
			if state(c.state.v.Load()) != parked {
				continue
			}
			if quiet && !c.quiet() {
				looks++
				continue
			}
			if t := c.deadline - int64(w.timeout); longest == nil || t < since {
				longest, since = c, t
			}
			break // the first one has waited longest in its class
		}
	}
	return longest, since
}

// longest returns how long the connection that takeLongest would take has waited, and whether there
// is one.
func (d *deadlines) longest(quiet bool, classes []Class) (time.Duration, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, since := d.longestLocked(quiet, classes)
	return time.Duration(nanos() - since), c != nil
}

// takeLongest takes the parked connection that has waited longest in any of the classes, or returns
// nil if there is none. See longestLocked.
func (d *deadlines) takeLongest(quiet bool, classes []Class) *Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		c, _ := d.longestLocked(quiet, classes)
		if c == nil {
			return nil
		}
		if c.state.do(actTake) { // otherwise it is no longer parked
			d.unlinkLocked(c)
			return c
		}
	}
}

// heldPause is how long sweep waits until it looks again at a connection that has expired, and that
// a worker owns.
const heldPause = int64(time.Millisecond)

// sweep takes every parked connection whose deadline has passed. It leaves a connection that a
// worker owns, and looks at it again later. When the worker parks it, Park checks the deadline, but
// not if the wait has just begun.
func (d *deadlines) sweep() {
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
			} else if next == 0 || next > now+heldPause {
				next = now + heldPause // its worker may be about to park it
			}
			c = after
		}
	}
	if next != 0 && !d.closed {
		d.armLocked(next, now)
	}
	d.mu.Unlock()
	d.expireAll(out)
}

// expireAll calls d.expire for each connection in out, even if a hook of the application ends the
// goroutine.
func (d *deadlines) expireAll(out []*Conn) {
	defer func() {
		if len(out) > 0 {
			go d.expireAll(out)
		}
	}()
	for len(out) > 0 {
		c := out[0]
		out = out[1:]
		d.expire(c)
	}
}

// stop stops the timer for good.
func (d *deadlines) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.timer != nil {
		d.timer.Stop()
		d.sweeper.of.Store(nil)
	}
}
