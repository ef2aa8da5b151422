package http1

import (
	"context"
	"crypto/tls"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/internal/clock"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/core/observe"
)

// A Conn is a connection, with the little state that it keeps between requests.
type Conn struct {
	park.Conn

	// Scheduler is where c's workers come from.
	Scheduler Scheduler

	// Standing is Unadmitted if a worker has to call Scheduler.Admit. Otherwise it belongs to the
	// scheduler.
	Standing Standing

	// Shard is the number of the Scheduler's shard, for Server.Requests.
	Shard uint8

	// Refused is set when the connection is going to be shed: see MarkRefused. Server.Refused
	// counts such connections.
	Refused bool

	// Lingers is set when the connection was shed and stays open for a moment, so that the client
	// can read the response. Server.Lingering counts such connections.
	Lingers bool

	// NoHeaderYet is set while a connection that parks has not yet sent a complete header.
	// Server.NoHeaderYet counts such connections. The accepting code sets it, and the code that
	// removes the connection subtracts it.
	NoHeaderYet bool

	// HooksPending is set until the first hook is called for the connection, or has to wait for the
	// header of a proxy. Server.HooksPending counts such connections. The accepting code sets it,
	// and the code that removes the connection subtracts it.
	HooksPending bool

	last bool // the current request is the last

	listener *ListenerConfig
	srv      *Server

	pending []byte // read but not used yet, while no worker owns the connection
	scanned int    // how far input was searched for the end of a header
	checked int    // how far its lines were checked
	skipped int    // bytes of empty lines before it

	// beganAt is when the current request began, by package clock, for ReadTimeout. Zero means not
	// noted: there is no ReadTimeout, or the request arrived in one read.
	beganAt int64
	hooked  *hookedConn // nil without ConnState and ConnContext hooks

	// These belong to the scheduler: see Scheduler.Stay.
	ServedAt     uint32
	OthersServed int32
	StayAfter    uint8
	StaysInVain  uint8

	phase    phase
	lingered uint8  // reads since the last response
	readable Moment // zero: not noted since the last request
	lines    int32  // header lines checked, not counting continuation lines
	requests int32  // how many more requests it may serve; counted only if limited
	maxAgeAt int64  // when it becomes too old, by package clock; zero: never

	endCalled   atomic.Bool // End was called
	waitMu      sync.Mutex  // guards following
	waiting     bool        // the worker is waiting for the first bytes of a request: see Interrupt
	first       bool        // for those of the first request
	interrupted bool        // Interrupt has set the read deadline

	tls *tls.ConnectionState // nil without TLS, or before the handshake
}

// A hookedConn is what a connection has only if the application has hooks.
type hookedConn struct {
	conn net.Conn        // passed to the hooks
	ctx  context.Context // from ConnContext
}

// baseCtx returns the context of all requests.
func (c *Conn) baseCtx() context.Context {
	if c.hooked != nil {
		return c.hooked.ctx
	}
	return c.listener.Context
}

// A phase is a stage in the life of a connection.
type phase uint8

const (
	fresh     phase = iota // no worker has served it yet
	expecting              // likewise; its peer, a proxy, has to send its header: see Meet
	opened                 // waiting for or serving its first request
	keptAlive              // has served at least one request
	lingering              // has sent its last response
	hijacked               // taken over by a handler
)

// Init prepares c, which park.Set has accepted or added, to be served as a connection of the
// listener that lc describes.
func (c *Conn) Init(lc *ListenerConfig) {
	c.Owner, c.listener, c.srv = c, lc, lc.Server
	if l := &c.srv.Limits; l.Requests > 0 {
		c.requests = int32(min(l.Requests-jitter(l.Requests), math.MaxInt32))
	}
	if l := &c.srv.Limits; l.Age > 0 {
		now := time.Duration(clock.Now())
		c.maxAgeAt = int64(now + min(l.Age-jitter(l.Age), math.MaxInt64-now))
	}
}

// jitter returns a random duration or count up to n/10, so that connections opened together do not
// expire together.
func jitter[N int | time.Duration](n N) N { return rand.N(n/10 + 1) }

// countRequest counts the request that begins now, and notes whether it is the connection's last.
func (c *Conn) countRequest() {
	l := &c.srv.Limits
	if l.Requests > 0 {
		c.requests--
		c.last = c.requests <= 0
	}
	if c.maxAgeAt > 0 && clock.Now() >= c.maxAgeAt {
		c.last = true
	}
	if c.last {
		c.srv.Retired.Add(1)
	}
}

// keepAlives reports whether another request may follow the current one.
func (c *Conn) keepAlives() bool { return !c.last && !c.srv.lame.Load() && c.srv.keepAlives() }

// Context returns the context that all requests of the connection derive from.
func (c *Conn) Context() context.Context { return connContext{c.baseCtx(), c} }

// A connContext adds the server and the connection's local address to a context.
type connContext struct {
	context.Context
	c *Conn
}

func (x connContext) Value(key any) any {
	switch key {
	case http.ServerContextKey:
		return x.c.srv.HTTP
	case http.LocalAddrContextKey:
		return x.c.LocalAddr()
	}
	return x.Context.Value(key)
}

// callNewHooks creates the net.Conn that hooks get, and calls the hooks for a new connection, once.
// In net/http the accept loop calls them, so that a hook that blocks delays all other connections.
// Here the worker calls them.
func (c *Conn) callNewHooks() error {
	h := c.srv
	if h.ConnState == nil && h.ConnContext == nil || c.hooked != nil {
		return nil
	}
	defer c.clearHooksPending()
	if c.needsHandshake() {
		if err := c.SecureNetConn(c.listener.TLS); err != nil {
			return err
		}
	}
	nc, err := c.NetConn()
	if err != nil {
		return err
	}
	c.hooked = &hookedConn{nc, c.listener.Context}
	if h.ConnContext != nil {
		ctx := h.ConnContext(context.WithValue(c.baseCtx(), http.ServerContextKey, h.HTTP), nc)
		if ctx == nil {
			panic("ConnContext returned nil")
		}
		c.hooked.ctx = ctx
	}
	c.setState(http.StateNew)
	return nil
}

// clearHooksPending notes that the first hook was called, or has to wait for the client.
func (c *Conn) clearHooksPending() {
	if c.HooksPending {
		c.HooksPending = false
		c.srv.HooksPending.Add(-1)
	}
}

// setState calls the ConnState hook.
func (c *Conn) setState(s http.ConnState) {
	if c.hooked == nil || c.srv.ConnState == nil {
		return
	}
	if s == http.StateIdle {
		c.srv.IdleHooks.Add(1)
		defer c.srv.IdleHooks.Add(-1)
	}
	c.srv.ConnState(c.hooked.conn, s)
}

// Report calls the ConnState hook for a connection that is not served by a worker.
func (c *Conn) Report(s http.ConnState) { c.setState(s) }

// TLS returns the state of c's TLS connection, nil without TLS.
func (c *Conn) TLS() *tls.ConnectionState { return c.tls }

// clearNoHeaderYet notes that c has sent a complete header, speaks another protocol, or lingers.
func (c *Conn) clearNoHeaderYet() {
	if c.NoHeaderYet {
		c.NoHeaderYet = false
		c.srv.NoHeaderYet.Add(-1)
	}
}

// End closes c, which the caller owns. A second call does nothing. A panic of a hook, or of a
// method of the application's net.Conn, is logged. Hooks may block: see EndInBackground.
func (c *Conn) End() {
	if c.endCalled.Swap(true) {
		return
	}
	defer c.Observe(observe.Closed, "")
	defer c.report()()
	defer c.guard(func() { c.Close() })
	c.reportStarted()
}

// EndInBackground is End for callers that must not wait for the application: the leader, the
// deadline timer and shutdown. If there are hooks, or the net.Conn is the application's, c ends
// soon, in the background.
func (c *Conn) EndInBackground() {
	if c.hooked == nil && c.Parks() {
		c.End()
		return
	}
	c.srv.background(c.End)
}

// Evict is EndInBackground for a connection that has to make room: its descriptor is closed when
// Evict returns, and hooks are called afterwards. A connection that does not park is ended as by
// EndInBackground.
func (c *Conn) Evict() {
	if c.hooked == nil || !c.Parks() {
		c.EndInBackground()
		return
	}
	if c.endCalled.Swap(true) {
		return
	}
	closed := c.report()
	c.guard(func() { c.Close() })
	c.Observe(observe.Closed, "")
	c.srv.background(func() {
		defer closed()
		c.reportStarted()
	})
}

// report counts an upcoming call of the StateClosed hook, and returns a function that makes the
// call.
func (c *Conn) report() (closed func()) {
	if c.hooked == nil || c.srv.ConnState == nil {
		return func() {}
	}
	c.srv.ClosedHooks.Add(1)
	return func() {
		defer c.srv.ClosedHooks.Add(-1)
		c.guard(func() { c.setState(http.StateClosed) })
	}
}

// reportStarted reports StateActive for a connection that was parked with a part of its first
// request.
func (c *Conn) reportStarted() {
	if c.phase == opened && len(c.pending) > 0 {
		c.guard(func() { c.setState(http.StateActive) })
	}
}

// Expire ends c because it has waited too long. It does not wait for the application: see
// EndInBackground.
func (c *Conn) Expire() {
	if c.phase == expecting {
		c.expireHeader()
		return
	}
	if c.needsHandshake() && c.logExpired() {
		return
	}
	c.EndInBackground()
}

// Release gives c's net.Conn to the caller for good, with the bytes that were read from it but not
// returned to the caller.
func (c *Conn) Release() (nc net.Conn, early []byte, err error) {
	phase := c.phase
	c.phase = hijacked // before Detach, which notifies the code that counts connections
	if nc, early, err = c.Detach(); err != nil {
		c.phase = phase
		return nil, nil, err
	}
	c.Observe(observe.Taken, "")
	given := false
	defer func() {
		if !given { // the hook panicked, and nobody else owns nc
			nc.Close()
		}
	}()
	c.setState(http.StateHijacked)
	given = true
	return nc, early, nil
}

// Hijacked reports whether the connection was given away by Release.
func (c *Conn) Hijacked() bool { return c.phase == hijacked }

// begin notes when a request begins, if there is a ReadTimeout. Further calls for the same request
// have no effect.
func (c *Conn) begin() {
	if c.beganAt == 0 && c.srv.HTTP.ReadTimeout > 0 {
		c.beganAt = clock.Now()
	}
}

// beginning returns when the current request began, and resets that time for the next request.
func (c *Conn) beginning() time.Time {
	if c.beganAt == 0 {
		return time.Now()
	}
	t := clock.Time(c.beganAt)
	c.beganAt = 0
	return t
}

// lastChance is how much longer a connection that does not park waits for another request once it
// may not have one. Bytes that have already arrived are read within that time: a deadline in the
// past would hide them.
const lastChance = 10 * time.Millisecond

// Interrupt shortens the wait for a request if c's worker is in one. It is for shutdown, and does
// not block.
func (c *Conn) Interrupt() { c.runInBackground(c.interrupt) }

// Abandon makes all further operations on c fail, and ends c unless a worker owns it. It is for
// shutdown, and does not block.
func (c *Conn) Abandon() {
	c.runInBackground(func() {
		if c.Conn.Abandon() {
			c.EndInBackground()
		}
	})
}

// runInBackground calls f, in the background if f may call methods of the application's net.Conn.
// There a panic of f is logged.
func (c *Conn) runInBackground(f func()) {
	if c.Parks() {
		f()
		return
	}
	c.srv.background(func() { c.guard(f) })
}
