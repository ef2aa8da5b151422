package http1

import (
	"context"
	"crypto/tls"
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

	// Crew is for who made the connection; it means nothing here.
	Crew any

	srv  *Server
	base context.Context // of the requests

	pending []byte // read and not used, while no worker has it
	scanned int    // how far input was searched for the end of a header
	checked bool   // the first line of it is a request line

	phase  phase
	hooked net.Conn // what the hooks ConnState and ConnContext get; nil if there are none

	over        atomic.Bool // End was called
	waitMu      sync.Mutex  // guards following
	waiting     bool        // its worker waits for the first bytes of a request: see Interrupt
	interrupted bool        // and the read deadline is Interrupt's

	tls *tls.ConnectionState
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
	c.Owner, c.srv, c.base = c, base.Server, base.Context
}

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
		c.Close()
		c.setState(http.StateClosed)
	}
}

// Hijacked reports whether a handler took over the connection.
func (c *Conn) Hijacked() bool { return c.phase == hijacked }

// lastChance is how much longer a connection that does not park waits for a request when it has no
// future. Bytes that have arrived are read within it: a deadline that has passed would hide them.
const lastChance = 10 * time.Millisecond

// Interrupt ends the wait for another request, if that is what c's worker does.
func (c *Conn) Interrupt() {
	c.waitMu.Lock()
	defer c.waitMu.Unlock()
	if c.waiting {
		c.interrupted = true
		c.SetReadDeadline(time.Now().Add(lastChance))
	}
}

// beginWait says that its worker waits for the first bytes of a request.
func (c *Conn) beginWait() {
	c.waitMu.Lock()
	c.waiting, c.interrupted = true, false
	c.waitMu.Unlock()
}

// endWait says that it does not any more, and reports whether the read deadline is Interrupt's.
func (c *Conn) endWait() (interrupted bool) {
	c.waitMu.Lock()
	defer c.waitMu.Unlock()
	c.waiting = false
	return c.interrupted
}
