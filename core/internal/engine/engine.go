// Package engine accepts connections and has workers serve them.
//
//	engine.go      an Engine: the listeners and connections of one Server
//	config.go      what it gets from the Server
//	serve.go       how it serves a listener; accept.go: how it accepts
//	shutdown.go    how it ends; lame.go: what it does before that
//	shard.go       workers that are recycled, with an epoll set; turn.go: what one of them does
//	fixedpool.go   workers that keep their connection
//	locked.go      workers that a handler has left locked to their thread
//	connlimit.go   which connections may stay; evict.go: which ones make room
//	overload.go    what happens for lack of room, and how it is logged
//	stay.go        workers that wait for the next request of their connection
//	queuelimit.go  which connections may wait for a worker, in all shards together
//	asynccaller.go calls to the application, for code that must not wait for it
//	host.go, hostedlistener.go, witness.go
//	               under an http.Server that the application starts and stops
//	delegate.go, protocols.go
//	               connections that net/http serves, because they do not speak HTTP/1
//	proxied.go     connections whose proxy sends the address of the client
//	chanlistener.go
//	               listeners that net/http serves on the engine's behalf
//	unwrap.go      what a listener of package tls was made from
//
// It knows nothing of package recycling, which imports it. Package park implements the connections,
// package http1 their requests, and package pool the workers.
//
// # Shards
//
// With more than four processors, the workers are divided into shards, each with an epoll set and a
// run queue. Shards help each other: one that needs a worker and has none idle takes one that is
// idle in another, and once MaxWorkers are at work, a worker that becomes free serves whichever
// shard's turn it is (see pool.Group). So a connection waits only while MaxWorkers are at work.
//
// A keep-alive request locks nothing, and writes nothing, that requests of other shards use too,
// except when a shard looks for an idle worker: at most once in about 90 requests. What it locks
// and writes of its own shard does not grow with the number of processors. The following was
// counted by go run ./core/internal/contention, per request. The columns "all" are about what all
// shards share, and "shard" about what the requests of one shard share: mutexes that were locked,
// and atomic variables that were written.
//
//	GOMAXPROCS  shards  connections  locks: all   shard  writes: all   shard
//	         1       1            8        0.00    2.36         0.00    3.61
//	         1       1          100        0.00    2.05         0.00    3.08
//	         1       1         1000        0.00    2.03         0.00    3.05
//	         2       1            8        0.00    2.51         0.00    3.67
//	         2       1          100        0.00    2.09         0.00    3.12
//	         2       1         1000        0.00    2.05         0.00    3.08
//	         4       1            8        0.00    2.63         0.00    3.92
//	         4       1          100        0.00    2.15         0.00    3.20
//	         4       1         1000        0.00    2.05         0.00    3.08
//	         8       2            8        0.00    2.39         0.00    3.98
//	         8       2          100        0.00    2.13         0.00    3.21
//	         8       2         1000        0.00    2.10         0.00    3.18
//	        16       4            8        0.00    2.24         0.00    3.97
//	        16       4          100        0.00    2.29         0.00    3.43
//	        16       4         1000        0.00    2.18         0.00    3.23
//
// The two locks are those of the epoll set's deadlines, or of the stayers. The rest of the locks
// are of the pool's queue: a busy worker takes many jobs for one of them. The writes take and
// return a permit to be admitted (see queueLimiter), count the request, and take a job from the
// queue. When all shards shared their counters, 2.0 to 2.6 of the writes were to memory of all.
package engine

import (
	"cmp"
	"context"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/core/pool"
)

// An Engine serves the listeners and connections of a Server, and ends them. Its schedulers decide
// which goroutine serves a connection.
//
// An Engine has schedulers while it has a listener or a connection, and no goroutine otherwise. If
// a listener fails, its connections are served to their end, as in net/http.
type Engine struct {
	config        Config
	http          *http1.Server
	newSchedulers func(e *Engine, parks bool) ([]scheduler, error)

	limiter    connLimiter
	overload   overload
	queue      *queueLimiter           // nil with KeepWorkers, as are the following two
	group      *pool.Group[*park.Conn] // of the shards' workers
	stayers    []*stayers              // of each shard
	threads    lockWatch
	async      asyncCaller
	prepared   sync.Once
	preparing  sync.Mutex    // held while HTTP/2 is configured in the http.Server
	cutOnce    sync.Once     // closes abandoned
	abandoned  chan struct{} // closed once abandon has closed all connections
	abandoning atomic.Bool   // the engine is being abandoned, not drained
	hooks      sync.Once     // for takeHooks
	delegated  delegatedConns
	host       atomic.Pointer[Host] // Config.Host, once it serves a listener

	refs    atomic.Int64 // number of calls of serve and of open connections
	opened  atomic.Int64 // connections, including those of schedulers that have ended
	closed  atomic.Int64
	hijacks atomic.Int64
	errors  park.Errors

	mu                sync.Mutex                         // guards the following
	parkingSchedulers []scheduler                        // for descriptors; nil while idle
	waitingSchedulers []scheduler                        // for other listeners; likewise
	serving           sync.WaitGroup                     // calls of serve
	hosting           *Host                              // Config.Host or that of MakeHost
	base              func(net.Listener) context.Context // of the application, without a Host
	delegateListener  *delegateListener                  // nil until a connection is delegated
	proxied           bool                               // http.ProxyTimeout is set
	stopping          bool
	shutErr           error         // of closing a listener to stop, until it is returned
	stop              chan struct{} // closed when stopping begins: serve returns
	drained           chan struct{} // closed when stopping and refs is zero
}

// A scheduler assigns connections to goroutines that serve them.
type scheduler interface {
	http1.Scheduler
	conns() *park.Set
	shard() uint8             // its number, which may be that of another scheduler too
	enqueueAlways(*park.Conn) // like Enqueue, but without a limit
	stats(*Stats)
	// end ends the workers as soon as they are idle, and returns the connections that will not be
	// served. It does not wait.
	end() []*park.Conn
}

// New returns an Engine that has neither listeners nor goroutines yet.
func New(c Config) *Engine {
	e := &Engine{
		config:        c,
		hosting:       c.Host,
		http:          &http1.Server{HTTP: c.HTTP, Observer: c.Observer},
		newSchedulers: newShards,
		stop:          make(chan struct{}),
		drained:       make(chan struct{}),

		abandoned: make(chan struct{}),
	}
	e.limiter.engine = e
	e.overload.config = &e.config
	e.http.NoDescriptor = func() { e.overload.note(refusedDescriptors) }
	e.threads.strict = c.StrictThreads
	e.http.Limits = http1.Limits{
		Requests:    c.RequestsPerConn,
		Age:         c.ConnAge,
		BodyTimeout: c.BodyTimeout,
	}
	e.http.Background = e.async.add
	if c.KeepWorkers {
		e.newSchedulers = newFixedPool
	} else {
		e.queue = newQueueLimiter(e)
		e.stayers = newStayers(e)
		e.group = new(pool.Group[*park.Conn])
		e.http.Limits.HealthPath = c.HealthPath
	}
	if c.Refuse != nil {
		e.http.Refuse = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.Refuse.ServeHTTP(w, r.WithContext(c.Context(r.Context())))
		})
	}
	// For code that knows only the http.Server.
	c.HTTP.RegisterOnShutdown(func() { e.beginShutdown() })
	return e
}

// parkConfig returns the configuration of a scheduler's Set.
func (e *Engine) parkConfig(parks bool) park.Config {
	c := park.Config{
		Parks:          parks,
		Full:           e.limiter.full,
		FreeDescriptor: func() bool { return e.limiter.evict(true) },
		Errors:         &e.errors,

		WriteStall: e.config.AnswerTimeout,
		Logf:       e.http.LogLater,
	}
	e.http.Timeouts(&c)
	for k := range c.Timeouts {
		c.Timeouts[k] = parkTimeout(c.Timeouts[k])
	}
	return c
}

// parkTimeout returns the timeout of a class in a Set. If d is zero, there is none, but the Set
// still orders connections by how long they have waited.
func parkTimeout(d time.Duration) time.Duration { return cmp.Or(d, math.MaxInt64/4) }

// httpConn returns the http1.Conn that c is embedded in.
func httpConn(c *park.Conn) *http1.Conn { return c.Owner.(*http1.Conn) }

// newConn returns a connection that has just been accepted or is about to be accepted.
func (e *Engine) newConn(lc *http1.ListenerConfig, sched scheduler) *http1.Conn {
	e.refs.Add(1)
	e.opened.Add(1)
	c := new(http1.Conn)
	c.Scheduler, c.OthersServed = sched, maxOthers*averageUnit
	c.Shard = sched.shard()
	c.Init(lc)
	return c
}

// A schedulerBase has the methods of http1.Scheduler that all schedulers have in common.
type schedulerBase struct{ engine *Engine }

func (b schedulerBase) Admit(c *http1.Conn) bool { return b.engine.limiter.admit(c) }

func (b schedulerBase) AdmitAddr(c *http1.Conn) bool { return b.engine.limiter.admitAddr(c) }

// Ended counts a connection that has ended.
func (b schedulerBase) Ended(c *http1.Conn) {
	e := b.engine
	if c.Hijacked() {
		e.hijacks.Add(1)
	} else {
		e.closed.Add(1)
	}
	e.limiter.ended(c)
	e.unref()
}

// counts returns how many connections were opened, closed and hijacked, as of the same moment.
// Otherwise a connection opened in between would seem to be open along with the one that it
// replaces.
func (e *Engine) counts() (opened, closed, hijacked int64) {
	for {
		opened = e.opened.Load()
		closed, hijacked = e.closed.Load(), e.hijacks.Load()
		if e.opened.Load() == opened {
			return
		}
	}
}

// open returns the number of open connections.
func (e *Engine) open() int64 {
	opened, closed, hijacked := e.counts()
	return opened - closed - hijacked
}

// unref drops a reference. When the last one is dropped, it ends the schedulers.
func (e *Engine) unref() {
	if e.refs.Add(-1) > 0 {
		return
	}
	e.mu.Lock()
	if e.refs.Load() > 0 {
		e.mu.Unlock()
		return
	}
	schedulers := e.schedulersLocked()
	e.parkingSchedulers, e.waitingSchedulers = nil, nil
	if e.delegateListener != nil {
		e.delegateListener.Close()
		e.delegateListener = nil
	}
	if e.stopping {
		e.setDrainedLocked()
	}
	e.mu.Unlock()
	for _, sched := range schedulers {
		sched.end()
		sched.conns().Close()
	}
	if h := e.host.Load(); h != nil {
		h.quiet(e)
	}
}

// stopped reports whether the engine has begun to stop.
func (e *Engine) stopped() bool {
	select {
	case <-e.stop:
		return true
	default:
		return false
	}
}

func (e *Engine) schedulersLocked() []scheduler {
	return slices.Concat(e.parkingSchedulers, e.waitingSchedulers)
}

func (e *Engine) schedulers() []scheduler {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.schedulersLocked()
}

func (e *Engine) setDrainedLocked() {
	select {
	case <-e.drained:
	default:
		close(e.drained)
	}
}

// beginServe counts a call of serve, and returns the schedulers for listeners with a descriptor
// (parks) or without one. It creates them if necessary.
func (e *Engine) beginServe(parks bool) ([]scheduler, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping {
		return nil, http.ErrServerClosed
	}
	schedulers := &e.waitingSchedulers
	if parks {
		schedulers = &e.parkingSchedulers
	}
	if *schedulers == nil {
		made, err := e.newSchedulers(e, parks)
		if err != nil {
			return nil, err
		}
		*schedulers = made
	}
	e.serving.Add(1)
	e.refs.Add(1)
	return *schedulers, nil
}

// SetKeepAlivesEnabled is that of the http.Server, for all connections.
func (e *Engine) SetKeepAlivesEnabled(v bool) {
	e.http.SetKeepAlivesEnabled(v)
	e.config.HTTP.SetKeepAlivesEnabled(v)
	if v {
		return
	}
	for _, sched := range e.schedulers() {
		sched.conns().Each(func(c *park.Conn) { e.drain(sched, c) })
	}
}

// Stats returns the engine's counters.
func (e *Engine) Stats() Stats {
	o := &e.overload
	opened, closed, hijacked := e.counts()
	s := Stats{
		Open:     opened - closed - hijacked,
		Accepted: opened,
		Closed:   closed,
		Hijacked: hijacked,

		HijackedBusy: int64(e.http.Hijackings.N()),

		ShedConns: o.count(refusedConns, refusedDescriptors),
		ShedPerIP: o.count(refusedPerIP),
		ShedQueue: o.count(refusedQueue),
		Evicted:   o.count(evictedConns, evictedDescriptors),
		Held:      o.count(heldConns, heldRefusals),
		Retired:   e.http.Retired.Load(),
		Requests:  e.http.Requests.Total(),

		AcceptErrors: e.errors.Accept.Load(),
		PollErrors:   e.errors.Poll.Load(),

		ShedWait: o.count(refusedQueueWait),
	}
	s.ShedQueue += s.ShedWait
	for _, sched := range e.schedulers() {
		sched.stats(&s)
		sched.conns().Each(func(c *park.Conn) {
			if c.Parked() {
				s.Parked++
			}
		})
	}
	for _, stayers := range e.stayers { // these are as good as idle
		s.Stayed += stayers.stayed.Load()
		n := min(int(stayers.n.Load()), s.Busy)
		s.Busy, s.Standby = s.Busy-n, s.Standby+n
	}
	s.Shed = s.ShedConns + s.ShedPerIP + s.ShedQueue
	return s
}
