package engine

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/http1"
)

// Stayers are the workers that stay with their connection after a response: they wait for its next
// request themselves, in Go's own poller, instead of parking it. The leader and its epoll set then
// have no part in that request. On two processors, a request takes 0.55 of the CPU that it takes
// with parking if one connection is busy, and 0.72 if two are. With four there is little
// difference. With eight or more, waiting for one connection costs more than finding a batch of
// events. Connections with TLS always park.
//
// Each shard has stayers of its own, so that a request writes nothing that belongs to other shards.
// How many requests these serve is estimated: see inAll.
//
// A worker stays for 5 milliseconds at most, and only if that hinders nobody:
//
//   - Between two requests of its connection, few requests of other connections are served, on
//     average. That shows that hardly more connections are active than there are processors.
//   - The connection's last stay was not in vain, or enough requests have come since. After a stay
//     in vain, the next 2 requests for which a worker might stay are not followed by a stay. Each
//     further stay in vain doubles that number, up to 128.
//   - Few requests come without a stay. Otherwise there is a pause, in which nobody stays: see
//     sweep.
//   - At most half of MaxWorkers are in use, and the number of connections is far from its limit.
//     When a connection has to wait for a worker, or that limit comes near, all stayers leave at
//     once. Since they do, they count as idle in Stats and in all limits.
//
// These were tried, and rejected:
//
//   - A limit on the connections that are served at the moment, instead of the average. 1,000 busy
//     connections took 4 % more CPU. Each of them had a stay now and then. After its first stay a
//     connection is in Go's poller for good, so that each of its events is reported twice.
//   - The last request alone, instead of the average. Four connections took 13 % more CPU. A
//     connection with a stay sees few requests of others, and so gets another stay. One without
//     sees many, and goes on parking.
//   - The average without pauses. Eight connections took 19 % more CPU, for the same reason.
//   - To read once more before parking, without waiting, as long as that often found a request. 100
//     busy connections took 1 % less CPU, and 1,000 took 4 % less. But beside handlers that
//     compute, the p99 of light requests was 2.5 times as long: a client that sent its next request
//     at once kept its worker, while the others waited for a processor.
type stayers struct {
	engine *Engine
	shard  uint8
	max    int   // how many may stay
	few    int32 // limit of Conn.OthersServed

	n      atomic.Int64 // len(all)
	paused atomic.Bool  // nobody may stay for a while; changes with mu held
	stayed atomic.Int64 // requests that have come during a stay

	// For inAll: what served and servedInAll returned at the last estimate, and the estimate, in
	// units of 1/averageUnit.
	mark, markInAll, ratio atomic.Int64

	mu    sync.Mutex // guards the following
	all   []stayer
	tick  uint32      // counts calls of sweep
	timer *time.Timer // calls sweep; nil at first
	armed bool
	came  int64         // requests that have come during a stay, since the last sweep
	total int64         // requests at the last sweep
	pause time.Duration // the last pause; zero if the last stays were of use

	_ [64]byte // so that no other shard's stayers share a cache line with it
}

// A stayer is a connection with which a worker stays.
type stayer struct {
	c     *http1.Conn
	since uint32 // tick
}

const (
	// stayTick is the interval of sweeps. A worker stays for one to two of them.
	stayTick = 2500 * time.Microsecond
	// Conn.OthersServed says how many requests are served from one request of a connection to its
	// next, in units of 1/averageUnit. It is a moving average of about averageOf such numbers. It
	// begins at maxOthers, and larger numbers count as maxOthers.
	averageOf, averageUnit, maxOthers = 8, 1 << 8, 1 << 10
	// estimateEvery is how many requests of a shard there are from one estimate of inAll to the
	// next.
	estimateEvery = 64
	// maxVain bounds Conn.StayAfter, the requests without a stay after stays in vain, to
	// 1<<maxVain.
	maxVain = 7
	// Between two sweeps, fewOthers requests may come without a stay, plus a quarter of the number
	// that come during stays.
	fewOthers = 8
	// minPause and maxPause bound a pause. Each of several pauses in a row is twice as long as the
	// one before.
	minPause, maxPause = 100 * time.Millisecond, 400 * time.Millisecond
	// Workers stay only if there is room for stayRoom more connections before Config.Conns is
	// reached. So nobody stays if Config.Conns is smaller than that.
	stayRoom = 64
)

// newStayers returns the stayers of each shard.
func newStayers(e *Engine) []*stayers {
	n := runtime.GOMAXPROCS(0)
	all := make([]*stayers, e.config.shards())
	for i := range all {
		s := &stayers{engine: e, shard: uint8(i), max: 2 * n, few: int32(max(n+n/2, 2)*averageUnit + averageUnit/2)}
		s.ratio.Store(int64(len(all)) * averageUnit)
		all[i] = s
	}
	return all
}

// staying reports whether any worker stays with its connection.
func (e *Engine) staying() bool {
	return slices.ContainsFunc(e.stayers, func(s *stayers) bool { return s.n.Load() > 0 })
}

// leaveStays ends all stays, and returns how many there were. A request may have come meanwhile.
func (e *Engine) leaveStays() (n int64) {
	for _, s := range e.stayers {
		n += s.leave()
	}
	return n
}

// served returns how many requests of the shard have been served.
func (s *stayers) served() int64 { return s.engine.http.Requests.Of(s.shard) }

// servedInAll returns how many requests of all shards have been served.
func (s *stayers) servedInAll() (n int64) {
	for _, s := range s.engine.stayers {
		n += s.served()
	}
	return n
}

// inAll estimates how many requests are served in all shards while n are served in the shard, from
// the last estimateEvery requests of the shard. To read the other shards' counters for each request
// would slow down those who write them.
func (s *stayers) inAll(n, served int64) int64 {
	if len(s.engine.stayers) == 1 {
		return n
	}
	mark := s.mark.Load()
	if own := served - mark; own >= estimateEvery && s.mark.CompareAndSwap(mark, served) {
		total := s.servedInAll()
		all := total - s.markInAll.Swap(total)
		// Two workers may do this at the same time, so all may be anything.
		s.ratio.Store(min(max(all, own), maxOthers*own) * averageUnit / own)
	}
	return n * s.ratio.Load() / averageUnit
}

// begin reports whether the worker of c stays with it. Then it must call end afterwards.
func (s *stayers) begin(c *http1.Conn) bool {
	served := s.served()
	if uint32(served) == c.ServedAt {
		return false // there was no request since the last call
	}
	others := int32(min(uint32(served)-c.ServedAt, maxOthers))
	others = int32(min(s.inAll(int64(others), served), maxOthers))
	c.ServedAt = uint32(served)
	c.OthersServed += (others*averageUnit - c.OthersServed) / averageOf
	switch {
	case c.OthersServed > s.few, s.paused.Load():
		return false
	case c.StayAfter > 0:
		c.StayAfter--
		return false
	}
	q := s.engine.queue
	if s.n.Load() >= int64(s.max) || q.admitted() > q.workers/2 || s.engine.limiter.crowdsStays() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= s.max || s.paused.Load() {
		return false
	}
	s.n.Store(int64(len(s.all) + 1))
	if q.crowded() { // since the check above, and leave may not have seen n
		s.n.Store(int64(len(s.all)))
		return false
	}
	c.BeginStay()
	s.all = append(s.all, stayer{c, s.tick})
	if !s.armed {
		s.armed = true
		s.came, s.total = 0, served
		if s.timer == nil {
			s.timer = time.AfterFunc(stayTick, s.sweep)
		} else {
			s.timer.Reset(stayTick)
		}
	}
	return true
}

// crowdsStays reports whether there is so little room for more connections that nobody may stay.
func (l *connLimiter) crowdsStays() bool {
	limit := l.engine.config.Conns
	return limit > 0 && l.counted() > int64(limit)-stayRoom
}

// end ends a stay. came says whether the next request has come.
func (s *stayers) end(c *http1.Conn, came bool) {
	s.mu.Lock()
	i := slices.IndexFunc(s.all, func(x stayer) bool { return x.c == c })
	s.all = slices.Delete(s.all, i, i+1)
	s.n.Store(int64(len(s.all)))
	if came {
		s.came++
		s.stayed.Add(1)
	}
	s.mu.Unlock()
	if came {
		c.StaysInVain = 0
		return
	}
	c.StaysInVain = min(c.StaysInVain+1, maxVain)
	c.StayAfter = 1 << c.StaysInVain
}

// sweep ends the stays that have lasted long enough. If many requests have come in another way,
// more connections are active than workers should stay with; then nobody stays for a while.
func (s *stayers) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick++
	if s.paused.Load() {
		s.paused.Store(false)
		s.came, s.total = 0, s.served()
		s.sweepAgain()
		return
	}
	total := s.served()
	if others := total - s.total - s.came; others > s.came/4+fewOthers {
		s.pause = min(max(2*s.pause, minPause), maxPause)
		s.paused.Store(true)
		for _, x := range s.all {
			x.c.Leave()
		}
		s.timer.Reset(s.pause)
		return
	}
	if s.came > 0 {
		s.pause = 0
	}
	s.came, s.total = 0, total
	for _, x := range s.all {
		if s.tick-x.since >= 2 {
			x.c.Leave()
		}
	}
	s.sweepAgain()
}

// sweepAgain arms the timer while workers stay.
func (s *stayers) sweepAgain() {
	if s.armed = len(s.all) > 0; s.armed {
		s.timer.Reset(stayTick)
	}
}

// leave ends all stays of the shard, and returns how many there were. A request may have come
// meanwhile.
func (s *stayers) leave() int64 {
	if s.n.Load() == 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.all {
		x.c.Leave()
	}
	return int64(len(s.all))
}
