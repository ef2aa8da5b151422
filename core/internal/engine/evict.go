package engine

import (
	"container/list"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/core/observe"
)

// This file chooses the connections that are closed to make room for others.

// evictionOrder lists the classes of connections that may be closed to make room, the most
// dispensable first. A connection that has never sent a complete header may exist only to take up
// room. A lingering connection has already received its response, and an idle one has no request in
// progress. Connections of the last class have begun another request.
var evictionOrder = [][]park.Class{{http1.ForProxy, http1.ForHello, http1.ForFirst}, {http1.ForClose}, {http1.ForNext}, {http1.ForHeader}}

// evictable reports whether there is a connection of these classes, or in a handshake, that evict
// would close without losing a request. It may be about to resume.
func (l *connLimiter) evictable(of [][]park.Class) bool {
	if _, ok := l.handshakes.longest(); ok {
		return true
	}
	for _, sched := range l.engine.schedulers() {
		for _, classes := range of {
			if _, ok := sched.conns().Longest(true, classes...); ok {
				return true
			}
		}
	}
	return false
}

// A worker owns a new connection for a moment before it parks. settling yields up to settleTries
// times to wait for that, and then pauses accepting for up to settleLimit, since workers may be
// busy.
const (
	settleTries = 20
	settleLimit = 50 * time.Millisecond
)

// settling reports whether accepting must pause to spare idle connections: more dispensable ones
// exist, but workers own them at the moment.
func (l *connLimiter) settling() bool {
	for range settleTries {
		if l.engine.http.NoHeaderYet.Load() == 0 || l.evictable(evictionOrder[:1]) {
			l.unsettled.Store(0)
			return false
		}
		runtime.Gosched()
	}
	now := time.Now().UnixNano()
	l.unsettled.CompareAndSwap(0, now)
	return now-l.unsettled.Load() < int64(settleLimit)
}

// evict closes the most dispensable connection, and among those the one that has waited longest. It
// reports whether there was one. If now is set, its descriptor is needed at once, so evict does not
// choose a handshake, which does not release its descriptor immediately. It spares connections
// whose next bytes have arrived, which are about to resume, if it finds others.
func (l *connLimiter) evict(now bool) bool {
	if l.evictOne(now, true) || l.evictOne(now, false) {
		return true
	}
	l.engine.leaveStays() // their connections are idle
	return false
}

func (l *connLimiter) evictOne(now, quiet bool) bool {
	why := evictedConns
	if now {
		why = evictedDescriptors
	}
	schedulers := l.engine.schedulers()
	for i, classes := range evictionOrder {
		var from *park.Set
		var waited time.Duration
		for _, sched := range schedulers {
			if t, ok := sched.conns().Longest(quiet, classes...); ok && (from == nil || t > waited) {
				from, waited = sched.conns(), t
			}
		}
		if t, ok := l.handshakes.longest(); i == 0 && !now && ok && (from == nil || t > waited) && l.handshakes.cut(why.name()) {
			l.engine.overload.note(why)
			return true
		}
		if from == nil {
			continue
		}
		if c := from.TakeLongest(quiet, classes...); c != nil {
			l.engine.overload.note(why)
			httpConn(c).Observe(observe.Evicted, why.name())
			httpConn(c).Evict()
			return true
		}
	}
	return false
}

// handshakes are the TLS handshakes in progress, the oldest first.
type handshakes struct {
	leaving atomic.Int64 // connections that were cut off and are still open

	mu  sync.Mutex // guards the following
	all list.List  // of *handshake
}

type handshake struct {
	c     *http1.Conn
	begun time.Time
	cut   bool
}

// begin records that c's handshake begins. The caller must pass the result to end.
func (h *handshakes) begin(c *http1.Conn) *list.Element {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all.PushBack(&handshake{c: c, begun: time.Now()})
}

// end records that a handshake is over. The caller no longer owns the connection, or it has ended.
func (h *handshakes) end(e *list.Element) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Value.(*handshake).cut {
		h.leaving.Add(-1)
	} else {
		h.all.Remove(e)
	}
}

// longest returns how long the oldest handshake has taken, and whether there is one.
func (h *handshakes) longest() (time.Duration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.all.Front(); e != nil {
		return time.Since(e.Value.(*handshake).begun), true
	}
	return 0, false
}

// cut makes the oldest handshake fail, and reports whether there was one.
func (h *handshakes) cut(why observe.Reason) bool {
	c, parked := h.take()
	if c != nil {
		c.Observe(observe.Evicted, why)
	}
	if parked { // the handshake is over, and c is parked
		c.Evict()
	}
	return c != nil
}

// take abandons the connection of the oldest handshake. It holds h.mu, so that end cannot return
// and the connection cannot pass to another owner meanwhile.
func (h *handshakes) take() (c *http1.Conn, parked bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.all.Front()
	if e == nil {
		return nil, false
	}
	h.all.Remove(e)
	x := e.Value.(*handshake)
	x.cut = true
	h.leaving.Add(1)
	return x.c, x.c.Conn.Abandon()
}
