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

	"github.com/recycling-go/recycling/core/internal/park"
)

// A Conn is a connection and what is kept of it between requests, which is little.
type Conn struct {
	park.Conn

	// Crew and Standing are for who made the connection; they mean nothing here.
	Crew     any
	Standing uint8

	Lingers bool // it was shed, and is open for a moment for the client's sake

	of   *Base
	srv  *Server
	base context.Context // of the requests

	pending []byte // read and not used, while no worker has it
	scanned int    // how far input was searched for the end of a header
	checked bool   // the first line of it is a request line
	skipped int    // bytes of empty lines before it

	phase    phase
	lingered uint8    // reads since the last answer
	begun    int64    // when the request that comes in pieces began, in nanoseconds since epoch; zero: it came in one
	hooked   net.Conn // what the hooks ConnState and ConnContext get; nil if there are none

	requests int32 // so many are still answered; counted only if that is limited
	last     bool  // the request at hand is the last
	old      int64 // from when on it is too old, in nanoseconds since epoch; zero: never

	over        atomic.Bool // End was called
	waitMu      sync.Mutex  // guards following
	waiting     bool        // its worker waits for the first bytes of a request: see Interrupt
	first       bool        // that is its first request
	interrupted bool        // and the read deadline is Interrupt's

	tls *tls.ConnectionState // nil without TLS, or before the handshake
}

// A phase is how far a connection is in its life.
type phase uint8

const (
	fresh     phase = iota // nobody served it yet
	opened                 // it waits for its first request, or is at it
	between                // it has answered a request
	lingering              // it has given its last answer
	hijacked               // a handler took it
)

// Init makes c ready for a worker: one of base's connections, which park.Set has accepted or added.
func (c *Conn) Init(base *Base) {
	c.Owner, c.of, c.srv, c.base = c, base, base.Server, base.Context
	if l := &c.srv.Limits; l.Requests > 0 {
		c.requests = int32(min(l.Requests-share(l.Requests), math.MaxInt32))
	}
	if l := &c.srv.Limits; l.Age > 0 {
		c.old = int64(time.Since(epoch) + l.Age - share(l.Age))
	}
}

// share is up to a tenth of n, by chance: what begins at the same time shall not end at the same time.
func share[N int | time.Duration](n N) N { return rand.N(n/10 + 1) }

// wear notes that a request begins, which may be the last.
func (c *Conn) wear() {
	l := &c.srv.Limits
	if l.Requests > 0 {
		c.requests--
		c.last = c.requests <= 0
	}
	if c.old > 0 && int64(time.Since(epoch)) >= c.old {
		c.last = true
	}
	if c.last {
		c.srv.Retired.Add(1)
	}
}

// keepAlives reports whether there may be another request after the one at hand.
func (c *Conn) keepAlives() bool { return !c.last && c.srv.keepAlives() }

// Base is the context that the connection's requests have in common.
func (c *Conn) Base() context.Context { return connContext{c.base, c} }

// A connContext knows a connection's addresses and server.
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

// Announce makes the net.Conn that hooks get, and calls those for a new connection, once. Who accepts connections
// one by one calls it, as net/http does in that place; who accepts for others leaves that to Serve.
func (c *Conn) Announce() error {
	h := c.srv.HTTP
	if h.ConnState == nil && h.ConnContext == nil || c.hooked != nil {
		return nil
	}
	if c.unshaken() {
		c.Secure(c.of.TLS)
	}
	nc, err := c.NetConn()
	if err != nil {
		return err
	}
	c.hooked = nc
	if h.ConnContext != nil {
		ctx := h.ConnContext(context.WithValue(c.base, http.ServerContextKey, h), nc)
		if ctx == nil {
			panic("ConnContext returned nil")
		}
		c.base = ctx
	}
	c.setState(http.StateNew)
	return nil
}

// setState calls the ConnState hook.
func (c *Conn) setState(s http.ConnState) {
	if c.hooked != nil && c.srv.HTTP.ConnState != nil {
		c.srv.HTTP.ConnState(c.hooked, s)
	}
}

// End closes c, which the caller has. A second call does nothing.
func (c *Conn) End() {
	if !c.over.Swap(true) {
		if c.phase == opened && len(c.pending) > 0 { // it was parked with a part of its first request
			c.setState(http.StateActive)
		}
		c.Close()
		c.setState(http.StateClosed)
	}
}

// Expire ends c because it has waited for too long.
func (c *Conn) Expire() {
	if c.unshaken() {
		c.logTLS(c.errTooLate())
	}
	c.End()
}

// Release gives c away for good, and what was read of it but not by the caller.
func (c *Conn) Release() (nc net.Conn, early []byte, err error) {
	phase := c.phase
	c.phase = hijacked // before Detach, which tells whoever counts connections
	if nc, early, err = c.Detach(); err != nil {
		c.phase = phase
		return nil, nil, err
	}
	c.setState(http.StateHijacked)
	return nc, early, nil
}

// Hijacked reports whether the connection was given away.
func (c *Conn) Hijacked() bool { return c.phase == hijacked }

// epoch is what Conn.begun counts from.
var epoch = time.Now()

// begin notes that a request begins, if that matters. It may have begun already.
func (c *Conn) begin() {
	if c.begun == 0 && c.srv.HTTP.ReadTimeout > 0 {
		c.begun = int64(time.Since(epoch))
	}
}

// beginning returns when the request at hand began, and prepares for the next.
func (c *Conn) beginning() time.Time {
	if c.begun == 0 {
		return time.Now()
	}
	t := epoch.Add(time.Duration(c.begun))
	c.begun = 0
	return t
}

// lastChance is how much longer a connection that does not park waits for another request when it has no
// future. Bytes that have arrived are read within it: a deadline that has passed would hide them.
const lastChance = 10 * time.Millisecond

// graceTime is how much longer a connection waits for its first request when the server drains: that may well
// be on its way. The number is net/http's.
const graceTime = 5 * time.Second

// Interrupt bounds the wait for a request, if that is what c's worker does.
func (c *Conn) Interrupt() {
	c.waitMu.Lock()
	defer c.waitMu.Unlock()
	if !c.waiting || c.interrupted {
		return
	}
	c.interrupted = true
	if c.first {
		c.SetReadDeadline(time.Now().Add(graceTime))
	} else {
		c.SetReadDeadline(time.Now().Add(lastChance))
	}
}

// beginWait says that its worker waits for the first bytes of a request.
func (c *Conn) beginWait() {
	c.waitMu.Lock()
	c.waiting, c.interrupted, c.first = true, false, c.phase != between
	c.waitMu.Unlock()
}

// endWait says that it does not any more, and reports whether the read deadline is Interrupt's.
func (c *Conn) endWait() (interrupted bool) {
	c.waitMu.Lock()
	defer c.waitMu.Unlock()
	c.waiting = false
	return c.interrupted
}
