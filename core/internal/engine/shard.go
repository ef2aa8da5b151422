package engine

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/core/internal/permits"
	"github.com/recycling-go/recycling/core/pool"
)

// A shard is a scheduler of recycled workers, which take turns at leading an epoll set.
// The shards of a Server share one limit on workers, and one on the connections that wait for them.
type shard struct {
	schedulerBase
	index       uint8
	set         *park.Set
	room        *permits.Share // of engine.queue
	workers     *pool.Pool[*park.Conn]
	handshakers *pool.Pool[clientHello] // for TLS; they do not count as workers
	reserve     *pool.Pool[*park.Conn]  // for Config.HealthPath; nil if there is none
	marks       marks                   // guarded by engine.queue.mu
}

// A clientHello is a connection whose client has begun a TLS handshake, and the bytes that it has
// sent.
type clientHello struct {
	c     *http1.Conn
	bytes []byte
}

// processorsPerShard is how many processors share one epoll set and one run queue.
const processorsPerShard = 4

// maxShards is the largest number of shards for one kind of listener. The number of a shard is a
// uint8.
const maxShards = 256

// minShardWorkers is the minimum number of workers for each shard: a few workers do not need
// several epoll sets.
const minShardWorkers = 64

// maxHandshakers is how many handshakes a shard performs at the same time, unless Config.Workers is
// larger: clients that stall in a handshake must not keep others out, even if few handlers may run.
const maxHandshakers = 1 << 16

// shards returns how many shards there are for each kind of listener, as the processors and the
// limit on workers suggest.
func (c *Config) shards() int {
	n := (runtime.GOMAXPROCS(0) + processorsPerShard - 1) / processorsPerShard
	return max(min(n, c.workers()/minShardWorkers, maxShards), 1)
}

// newShards returns the shards for one kind of listener. A connection stays with the epoll set of
// its shard, but workers of any shard may serve it: see pool.Group.
func newShards(e *Engine, parks bool) ([]scheduler, error) {
	schedulers := make([]scheduler, len(e.stayers))
	for i := range schedulers {
		s, err := newShard(e, parks, uint8(i))
		if err != nil {
			for _, sched := range schedulers[:i] {
				sched.end()
				sched.conns().Close()
			}
			return nil, err
		}
		schedulers[i] = s
	}
	return schedulers, nil
}

func newShard(e *Engine, parks bool, index uint8) (*shard, error) {
	set, err := park.NewSet(e.parkConfig(parks))
	if err != nil {
		return nil, fmt.Errorf("recycling: %w", err)
	}
	config := pool.Config[*park.Conn]{
		New:     e.newWork,
		Max:     e.config.workers(),
		Standby: min(e.config.Standby, e.config.workers()),
		Group:   e.group,

		MaxPaused: e.config.waiting(),
	}
	s := &shard{schedulerBase: schedulerBase{e}, index: index, set: set, room: e.queue.room.Share()}
	if parks {
		config.Lead = s.lead
	}
	s.handshakers, err = pool.New(pool.Config[clientHello]{
		New: e.newHandshakeWork,
		Max: max(e.config.workers(), maxHandshakers),
	})
	if err == nil && e.config.HealthPath != "" {
		s.reserve, err = pool.New(pool.Config[*park.Conn]{New: e.newReserve, Max: reserveWorkers, Standby: 1, Queue: reserveQueue})
	}
	if err == nil {
		s.workers, err = pool.New(config) // last, because it begins to lead
	}
	if err != nil {
		s.end()
		set.Close()
		return nil, fmt.Errorf("recycling: %w", err)
	}
	return s, nil
}

// Each shard has this many reserve workers for Config.HealthPath when all other workers are busy,
// and this many requests may wait for them.
const (
	reserveWorkers = 2
	reserveQueue   = 64
)

// lead is the work of the leader: it waits until connections are ready, and returns those that may
// be served or wait for a worker.
func (s *shard) lead(batch []*park.Conn) ([]*park.Conn, error) {
	batch, err := s.set.Lead(batch)
	s.engine.noteReadable(batch...)
	return s.engine.queue.admit(s, batch, 0), err
}

// noteReadable notes that all of conns have just become readable.
func (e *Engine) noteReadable(conns ...*park.Conn) {
	if e.http.Observer == nil {
		return
	}
	now := http1.Readable()
	for _, c := range conns {
		now.Note(httpConn(c))
	}
}

// newReserve returns the function with which a reserve worker serves connections, one request of
// each. Reserve workers do not count, so their handlers need not pause.
func (e *Engine) newReserve(control *pool.Control) func(*park.Conn) {
	w := http1.NewWorker(e.http)
	w.Reserve = true
	w.Hijacked = func() { control.Leave() }
	return e.work(w)
}

func (e *Engine) work(w *http1.Worker) func(*park.Conn) {
	lock := lockCheck{watch: &e.threads}
	return func(c *park.Conn) {
		w.Serve(httpConn(c))
		if lock.locked() {
			runtime.Goexit() // and the thread with it
		}
	}
}

// newHandshakeWork returns the function with which one worker performs handshakes, one after
// another. The functions of a tls.Config may lock the thread as handlers may. Compared to a
// handshake, checking for that every time costs nothing.
func (e *Engine) newHandshakeWork(*pool.Control) func(clientHello) {
	lock := lockCheck{watch: &lockWatch{strict: true}}
	return func(h clientHello) {
		e.handshake(h)
		if lock.locked() {
			runtime.Goexit()
		}
	}
}

func (e *Engine) handshake(h clientHello) {
	entry := e.limiter.handshakes.begin(h.c)
	over := sync.OnceFunc(func() { e.limiter.handshakes.end(entry) })
	defer over() // after a panic
	h.c.Handshake(h.bytes, over)
}

func (s *shard) conns() *park.Set { return s.set }
func (s *shard) shard() uint8     { return s.index }

func (s *shard) enqueueAlways(c *park.Conn) {
	s.engine.queue.add(s, 1)
	s.submit(c)
}

// submit puts c, which the queueLimiter has counted, into the shard's queue.
func (s *shard) submit(c *park.Conn) {
	if s.workers.Push(c) != nil { // the pool is closed
		s.engine.queue.done(s, 1)
		httpConn(c).EndInBackground()
	}
}

// The methods of http1.Scheduler.

func (s *shard) Enqueue(c *http1.Conn) { s.admit(c, 0) }
func (s *shard) Requeue(c *http1.Conn) { s.admit(c, 1) }
func (s *shard) Crowded() bool         { return s.engine.queue.crowded() }

func (s *shard) Stay(c *http1.Conn) bool         { return s.engine.stayers[s.index].begin(c) }
func (s *shard) Stayed(c *http1.Conn, came bool) { s.engine.stayers[s.index].end(c, came) }

func (s *shard) Reserve(c *http1.Conn) bool { return s.reserve.TrySubmit(&c.Conn) == nil }

func (s *shard) StartHandshake(c *http1.Conn, hello []byte) {
	if s.handshakers.Submit(context.Background(), clientHello{c, hello}) != nil { // it is closed
		c.EndInBackground()
	}
}

// admit submits c unless the queue is full. free is how many workers are about to become free.
func (s *shard) admit(c *http1.Conn, free int) {
	s.engine.noteReadable(&c.Conn)
	for _, c := range s.engine.queue.admit(s, []*park.Conn{&c.Conn}, free) {
		s.submit(c)
	}
}

func (s *shard) end() (left []*park.Conn) {
	if s.workers != nil {
		left = s.workers.Close()
		s.engine.queue.done(s, len(left))
	}
	s.room.GiveBack()
	if s.reserve != nil {
		left = append(left, s.reserve.Close()...)
	}
	if s.handshakers != nil {
		for _, h := range s.handshakers.Close() {
			left = append(left, &h.c.Conn)
		}
	}
	return left
}

func (s *shard) stats(st *Stats) {
	for _, workers := range []*pool.Pool[*park.Conn]{s.workers, s.reserve} {
		if workers == nil {
			continue
		}
		p := workers.Stats()
		st.Workers += p.Workers
		st.Standby += p.Workers - p.Busy
		st.Busy += p.Busy
		st.Queued += int64(p.Queued)
		st.Waiting += p.Paused
	}
	h := s.handshakers.Stats()
	st.Handshakes += h.Busy + h.Queued
}

// shards returns the schedulers, which are shards without KeepWorkers.
func (e *Engine) shards() []*shard {
	schedulers := e.schedulers()
	shards := make([]*shard, len(schedulers))
	for i, sched := range schedulers {
		shards[i] = sched.(*shard)
	}
	return shards
}
