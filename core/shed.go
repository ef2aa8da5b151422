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

	unknown atomic.Int64 // open connections whose standing is that

	mu    sync.Mutex           // guards following
	perIP map[netip.Prefix]int // open connections; nil if they are not limited
}

// What a door knows of a connection: its Standing.
const (
	plain   = iota
	unknown // its address was not asked for yet
	counted // for its address
)

// slack is how many connections more than MaxConns there may be while those too many are being refused.
const slack = 1 << 10

// taken returns how many connections there are that count: those which were refused, and linger, take nobody's room.
func (d *door) taken() int64 { return d.fleet.open() - d.fleet.http.Lingering.Load() }

// known returns how many of these may stay, as far as is known.
func (d *door) known() int64 { return d.taken() - d.unknown.Load() }

// shut reports whether accepting has to rest because there is no room, and none to be made.
func (d *door) shut() bool {
	limit := int64(d.fleet.set.Conns)
	if limit == 0 || d.taken() < limit {
		return false
	}
	if d.fleet.server.RefuseConns && d.taken() < limit+slack {
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

// makeRoom closes the connections that have been idle for the longest time, those of one crew after the other, until
// there are no more than may be, or none is idle.
func (d *door) makeRoom() {
	limit := int64(d.fleet.set.Conns)
	if limit == 0 || d.known() <= limit {
		return
	}
	for _, w := range d.fleet.allCrews() {
		for d.known() > limit {
			c := w.conns().TakeIdle()
			if c == nil {
				break
			}
			d.evicted.Add(1)
			c.Owner.(*http1.Conn).End()
		}
	}
}

// enter reports whether c, a new connection that was counted by now, may stay. If not, it has been refused.
func (d *door) enter(c *http1.Conn) bool {
	if !d.mayEnter(c) {
		c.Shed()
		return false
	}
	return true
}

func (d *door) mayEnter(c *http1.Conn) bool {
	if !d.count(c) {
		d.shedPerIP.Add(1)
		return false
	}
	d.makeRoom()
	if set := &d.fleet.set; set.Conns > 0 && d.fleet.server.RefuseConns && d.known() > int64(set.Conns) {
		d.shedConns.Add(1)
		return false
	}
	return true
}

// count counts c for its address, and reports whether that has no more connections than it may have.
func (d *door) count(c *http1.Conn) bool {
	if d.fleet.set.ConnsPerIP == 0 {
		return true
	}
	from, ok := network(c.RemoteAddr())
	if c.Standing == unknown {
		d.unknown.Add(-1)
		c.Standing = plain
	}
	if !ok {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.perIP == nil {
		d.perIP = map[netip.Prefix]int{}
	}
	d.perIP[from]++
	c.Standing = counted
	return d.perIP[from] <= d.fleet.set.ConnsPerIP
}

// refuse answers a connection that the process has no descriptor for.
func (d *door) refuse(c *park.Conn) {
	d.shedConns.Add(1)
	c.Owner.(*http1.Conn).ShedNow()
}

// left is told of a connection that has come to its end.
func (d *door) left(c *http1.Conn) {
	if c.Lingers {
		d.fleet.http.Lingering.Add(-1)
	}
	switch c.Standing {
	case plain:
		return
	case unknown:
		d.unknown.Add(-1)
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
	gang    *gang
	workers int           // so many are served at the most
	room    int           // so many are served and wait at the most
	wait    time.Duration // zero: for as long as it takes
	shed    atomic.Int64

	mu    sync.Mutex // guards following
	timer *time.Timer
	armed bool
	marks [waitSteps]uint64 // how many had come, at the last times that the timer fired
}

// waitSteps is in how many steps QueueWait is measured.
const waitSteps = 4

// admit refuses those that there is no room for in the line, the last first, and returns the others. So many workers as free says
// are about to have nothing to do.
func (l *line) admit(batch []*park.Conn, free int) []*park.Conn {
	if len(batch) == 0 {
		return batch
	}
	s := l.gang.workers.Stats()
	in := batch[:min(max(l.room-max(s.Busy-free, 0)-s.Queued, 0), len(batch))]
	for _, c := range batch[len(in):] {
		l.refuse(c)
	}
	clear(batch[len(in):])
	if l.wait > 0 && s.Queued+s.Busy+len(in) > l.workers {
		l.watch()
	}
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

// look refuses those who have waited for too long: who was there at the earliest of the marks has waited for wait, and
// the line is first in, first out.
func (l *line) look() {
	l.mu.Lock()
	s := l.gang.workers.Stats()
	mark := l.marks[0]
	copy(l.marks[:], l.marks[1:])
	l.marks[waitSteps-1] = s.Done + uint64(s.Busy+s.Queued)
	l.armed = s.Queued > 0 || s.Busy >= l.workers // then those who were admitted a moment ago may not have been queued yet
	if l.armed {
		l.timer.Reset(l.wait / waitSteps)
	}
	l.mu.Unlock()
	for int64(mark-s.Done-uint64(s.Busy)) > 0 { // workers go on meanwhile
		c, ok := l.gang.workers.Pull()
		if !ok {
			return
		}
		l.refuse(c)
		s = l.gang.workers.Stats()
	}
}
