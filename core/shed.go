package recycling

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
)

// What is refused, and why: connections by door, those that wait for a worker by line.

// A door counts connections and says whether there is room for more.
type door struct {
	fleet *fleet

	shedConns, shedPerIP, evicted, held atomic.Int64

	mu    sync.Mutex           // guards following
	perIP map[netip.Prefix]int // open connections; nil if they are not limited
}

// slack is how many connections more than MaxConns there may be while those too many are being refused.
const slack = 1 << 10

// shut reports whether accepting has to rest because there is no room, and none to be made.
func (d *door) shut() bool {
	limit := int64(d.fleet.set.Conns)
	if limit == 0 || d.fleet.open() < limit {
		return false
	}
	if d.fleet.server.RefuseConns && d.fleet.open() < limit+slack {
		return false
	}
	for _, w := range d.fleet.allCrews() {
		if w.conns().Idle() {
			return false
		}
	}
	d.held.Add(1)
	return true
}

// evict closes the connection that has been idle for the longest time, of those of the first crew that has one.
func (d *door) evict() bool {
	for _, w := range d.fleet.allCrews() {
		if c := w.conns().TakeIdle(); c != nil {
			d.evicted.Add(1)
			c.Owner.(*http1.Conn).End()
			return true
		}
	}
	return false
}

// enter reports whether c, a new connection that was counted by now, may stay.
func (d *door) enter(c *http1.Conn) bool {
	set := &d.fleet.set
	if set.Conns > 0 && d.fleet.open() > int64(set.Conns) && !d.evict() && d.fleet.server.RefuseConns {
		d.shedConns.Add(1)
		return false
	}
	if set.ConnsPerIP == 0 {
		return true
	}
	from, ok := network(c.RemoteAddr())
	if !ok {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.perIP == nil {
		d.perIP = map[netip.Prefix]int{}
	}
	d.perIP[from]++
	c.Counted = true
	if d.perIP[from] > set.ConnsPerIP {
		d.shedPerIP.Add(1)
		return false
	}
	return true
}

// refuse answers a connection that the process has no descriptor for.
func (d *door) refuse(c *park.Conn) {
	d.shedConns.Add(1)
	c.Owner.(*http1.Conn).ShedNow()
}

// left is told of a connection that has come to its end.
func (d *door) left(c *http1.Conn) {
	if !c.Counted {
		return
	}
	from, _ := network(c.RemoteAddr())
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.perIP[from]--; d.perIP[from] == 0 {
		delete(d.perIP, from)
	}
}

// network returns what counts as one address: an IPv4 address, or the /64 network of an IPv6 address, which is what
// one customer has at least.
func network(addr string) (netip.Prefix, bool) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return netip.Prefix{}, false // a Unix socket
	}
	a, bits := ap.Addr().Unmap().WithZone(""), 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	return p, err == nil
}

// A line is the connections of a gang that wait for a worker. The queue itself is the pool's.
type line struct {
	fleet *fleet
	gang  *gang
	room  int           // so many are served and wait at the most
	wait  time.Duration // zero: for as long as it takes
	shed  atomic.Int64

	mu    sync.Mutex // guards following
	timer *time.Timer
	armed bool
	marks [waitSteps]uint64 // how many had come, at the last times that the timer fired
}

// waitSteps is in how many steps QueueWait is measured.
const waitSteps = 4

// admit refuses new connections for which the door is closed, and then those that there is no room for in the line, the
// last first. It returns the others.
func (l *line) admit(batch []*park.Conn) []*park.Conn {
	if len(batch) == 0 {
		return batch
	}
	in := batch[:0]
	for _, c := range batch {
		hc := c.Owner.(*http1.Conn)
		if !hc.Entered {
			hc.Entered = true
			if !l.fleet.door.enter(hc) {
				hc.Shed()
				continue
			}
		}
		in = append(in, c)
	}
	s := l.gang.workers.Stats()
	if n := l.room - s.Busy - s.Queued; n < len(in) {
		for _, c := range in[max(n, 0):] {
			l.refuse(c)
		}
		in = in[:max(n, 0)]
	}
	if l.wait > 0 && s.Queued+s.Busy+len(in) > l.fleet.set.Workers {
		l.watch()
	}
	clear(batch[len(in):])
	return in
}

func (l *line) refuse(c *park.Conn) {
	if c.Owner.(*http1.Conn).ShedRequest() {
		l.shed.Add(1)
	}
}

// watch has the line looked at now and then as long as there is one.
func (l *line) watch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.armed {
		return
	}
	l.armed = true
	s := l.gang.workers.Stats()
	for i := range l.marks {
		l.marks[i] = s.Done + uint64(s.Busy) // those who wait by now have waited for a step when the timer fires next
	}
	if l.timer == nil {
		l.timer = time.AfterFunc(l.wait/waitSteps, l.look)
	} else {
		l.timer.Reset(l.wait / waitSteps)
	}
}

// look refuses those who have waited for too long. Who was there at the earliest of the marks has waited for wait, and
// the line is first in, first out.
func (l *line) look() {
	l.mu.Lock()
	s := l.gang.workers.Stats()
	begun := s.Done + uint64(s.Busy)
	overdue := int64(l.marks[0] - begun)
	copy(l.marks[:], l.marks[1:])
	l.marks[waitSteps-1] = begun + uint64(s.Queued)
	l.armed = s.Queued > 0
	if l.armed {
		l.timer.Reset(l.wait / waitSteps)
	}
	l.mu.Unlock()
	for ; overdue > 0; overdue-- {
		c, ok := l.gang.workers.Pull()
		if !ok {
			return
		}
		l.refuse(c)
	}
}
