package engine

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/observe"
)

// Connections are refused by the connLimiter if too many are open, and by the queueLimiter
// (queuelimit.go) if too many wait for a worker.

// A connLimiter counts connections and decides whether there is room for more.
type connLimiter struct {
	engine *Engine

	handshakes handshakes   // in progress
	unsettled  atomic.Int64 // when settling began to wait, in Unix nanoseconds; or zero

	unadmitted atomic.Int64 // open connections that are http1.Unadmitted

	mu    sync.Mutex           // guards the following
	perIP map[netip.Prefix]int // open connections; nil until one is counted
}

// maxRefusals is how many connections may wait to be refused. A connection that does not park is
// refused in the background, since that may block.
const maxRefusals = 1 << 10

// counted returns the number of connections that count: not those that are refused, nor those that
// were closed to make room and have not noticed yet.
func (l *connLimiter) counted() int64 {
	return l.engine.open() - l.engine.http.Refused.Load() - l.handshakes.leaving.Load()
}

// countedAdmitted returns how many of these have been found to be allowed to stay.
func (l *connLimiter) countedAdmitted() int64 { return l.counted() - l.unadmitted.Load() }

// full reports whether accepting must pause because there is no room and none can be made.
func (l *connLimiter) full() bool {
	if h := l.engine.http; h.Refused.Load()-h.Lingering.Load() >= maxRefusals {
		l.engine.overload.note(heldRefusals)
		return true
	}
	if l.engine.staying() && l.crowdsStays() {
		l.engine.leaveStays() // so that their connections may be closed to make room
	}
	limit := int64(l.engine.config.Conns)
	if limit == 0 || l.counted() < limit {
		return false
	}
	if l.settling() {
		return true
	}
	if l.engine.config.RefuseConns {
		return false
	}
	if l.evictable(evictionOrder) {
		return false
	}
	l.engine.overload.note(heldConns)
	return true
}

// admit reports whether c, a new connection that is already counted, may stay. If not, it refuses
// c.
func (l *connLimiter) admit(c *http1.Conn) bool {
	c.Observe(observe.Accepted, "")
	if !l.mayStay(c) {
		c.Shed()
		return false
	}
	return true
}

func (l *connLimiter) mayStay(c *http1.Conn) bool {
	unadmitted := c.Standing == http1.Unadmitted
	room := l.countAddr(c)
	if !room {
		c.MarkRefused() // before it is admitted, so that it never counts
	}
	if unadmitted {
		l.unadmitted.Add(-1)
	}
	if !room {
		l.engine.refused(c, refusedPerIP)
		return false
	}
	for limit := int64(l.engine.config.Conns); limit > 0 && l.countedAdmitted() > limit && l.evict(false); {
	}
	if cfg := &l.engine.config; cfg.Conns == 0 || !cfg.RefuseConns || l.countedAdmitted() <= int64(cfg.Conns) {
		return true
	}
	c.MarkRefused()
	l.engine.refused(c, refusedConns)
	return false
}

// countAddr counts c for its address, and reports whether the address has room for it.
func (l *connLimiter) countAddr(c *http1.Conn) bool {
	if l.engine.config.ConnsPerIP == 0 || c.Expecting() {
		return true // see admitAddr
	}
	from, ok := addrPrefix(c.RemoteAddr()) // may panic: until then c is http1.Unadmitted
	c.Standing = http1.Uncounted
	if !ok {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.perIP == nil {
		l.perIP = map[netip.Prefix]int{}
	}
	if l.perIP[from] >= l.engine.config.ConnsPerIP {
		return false // not counted: refused connections that linger would keep others out
	}
	l.perIP[from]++
	c.Standing = http1.Counted
	return true
}

// admitAddr is the part of admit that needs the address of c, which has just become known. It
// reports whether the address has room for c.
func (l *connLimiter) admitAddr(c *http1.Conn) bool {
	if c.Refused || l.countAddr(c) {
		return true
	}
	c.MarkRefused()
	l.engine.refused(c, refusedPerIP)
	return false
}

// dropUnadmitted is called before c is refused for another reason than its address.
func (l *connLimiter) dropUnadmitted(c *http1.Conn) {
	if c.Standing == http1.Unadmitted {
		c.Standing = http1.Uncounted
		l.unadmitted.Add(-1)
	}
}

// ended is called when a connection has ended.
func (l *connLimiter) ended(c *http1.Conn) {
	if c.Refused {
		l.engine.http.Refused.Add(-1)
	}
	if c.Lingers {
		l.engine.http.Lingering.Add(-1)
	}
	if c.HooksPending {
		l.engine.http.HooksPending.Add(-1)
	}
	if c.NoHeaderYet {
		l.engine.http.NoHeaderYet.Add(-1)
	}
	switch c.Standing {
	case http1.Uncounted:
		return
	case http1.Unadmitted:
		l.unadmitted.Add(-1)
		return
	}
	from, _ := addrPrefix(c.RemoteAddr())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.perIP[from]--; l.perIP[from] == 0 {
		delete(l.perIP, from)
	}
}

// addrPrefix returns the network of addr that counts as one address: an IPv4 address, or the /64
// network of an IPv6 address, the least that one customer has.
func addrPrefix(addr string) (netip.Prefix, bool) {
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
