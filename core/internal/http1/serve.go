package http1

import (
	"context"
	"net/http"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

// inARow is how many requests of one connection are answered before others get their turn.
const inARow = 32

// unlabelled has no labels for the profiler.
var unlabelled = context.Background()

// Serve answers requests on c until c has nothing more to read - then it is parked - or ends. The caller
// has c, and does not have it any more when Serve returns.
//
// A handler that panics ends its connection. One that calls runtime.Goexit does too, and the
// caller's goroutine with it, as a goroutine of net/http's would end.
func (w *Worker) Serve(c *Conn) {
	returned := false
	defer func() {
		pprof.SetGoroutineLabels(unlabelled) // which a handler may have left behind
		if !returned {
			w.rescue(c, recover())
		}
	}()
	w.serve(c)
	returned = true
}

// rescue ends c after a panic, or after Goexit if v is nil.
func (w *Worker) rescue(c *Conn, v any) {
	c.logPanic(v)
	if x := w.x; x != nil {
		x.ctx.cancel(context.Canceled)
		x.abort()
	}
	w.release()
	if c.phase != hijacked {
		c.End()
	}
}

// logPanic logs v and where it came from, as net/http does; nil means Goexit.
func (c *Conn) logPanic(v any) {
	if v == nil || v == http.ErrAbortHandler {
		return
	}
	buf := make([]byte, 64<<10)
	buf = buf[:runtime.Stack(buf, false)]
	c.srv.Logf("http: panic serving %v: %v\n%s", c.RemoteAddr(), v, buf)
}

func (w *Worker) serve(c *Conn) {
	c.Resume()
	if c.phase == lingering {
		w.serveLinger(c)
		return
	}
	w.attach(c)
	if c.phase == fresh && !w.open(c) {
		return
	}
	for n := 1; ; n++ {
		block, err := w.readHeader(c)
		if err == park.ErrWait {
			if w.rest(c) {
				return
			}
			continue
		}
		if err == errDelegate {
			w.delegate(c, "")
			return
		}
		if err != nil {
			if w.in.buffered() > 0 {
				c.setState(http.StateActive)
			}
			w.refuse(c, err)
			return
		}
		if !w.srv.http1() {
			w.end(c)
			return
		}
		c.Began()
		c.setState(http.StateActive)
		x, err := w.newExchange(c, block)
		if err != nil {
			w.refuse(c, err)
			return
		}
		if !w.answer(c, x) {
			return
		}
		switch {
		case w.Reserve:
			w.leave(c)
			return
		case n >= inARow && w.in.buffered() > 0 && c.srv.Requeue != nil:
			w.detach(c)
			c.srv.Requeue(c)
			return
		}
	}
}

// leave is what a worker in reserve does after a request: c is parked if there is nothing to read, or else others go on with it.
func (w *Worker) leave(c *Conn) {
	if w.in.buffered() == 0 {
		// To ask is necessary: a TLS connection may have more than it has given, of which the system says nothing any more.
		w.in.room(bufferSize)
		switch err := w.readMore(c); {
		case err == park.ErrWait:
			if w.rest(c) {
				return
			}
		case err != nil:
			w.end(c)
			return
		}
	}
	w.detach(c)
	c.srv.Continue(c)
}

// open is what comes before the first request. It reports whether there is going to be one now.
func (w *Worker) open(c *Conn) bool {
	if c.Announce() != nil {
		w.end(c)
		return false
	}
	if c.srv.Enter != nil && !c.Parks() && !c.srv.Enter(c) {
		w.release()
		return false
	}
	if c.unshaken() {
		w.greet(c)
		return false
	}
	c.phase = opened
	protocol, err := c.handshake()
	switch {
	case err != nil:
		c.logTLS(err)
		w.end(c)
	case c.foreign(protocol):
		w.delegate(c, protocol)
	default:
		return true
	}
	return false
}

// delegate gives c, and what was read of it, to who speaks other protocols.
func (w *Worker) delegate(c *Conn, protocol string) {
	ahead := append([]byte(nil), w.in.bytes()...)
	w.release()
	c.SetReadDeadline(time.Time{})
	c.of.Delegate(c, protocol, ahead)
}

// rest parks c, and reports whether it is gone. If not, there is more to read.
func (w *Worker) rest(c *Conn) bool {
	empty, phase := w.in.buffered() == 0, c.phase
	class, ok := w.srv.waits(phase, empty)
	if !ok {
		w.end(c)
		return true
	}
	if class == park.Header {
		c.begin()
	}
	w.detach(c)
	parked, err := c.Park(class)
	switch {
	case err != nil:
		c.End()
		return true
	case !parked:
		c.Resume()
		w.attach(c)
		return false
	}
	if now, ok := w.srv.waits(phase, empty); (!ok || now != class) && c.Take() {
		// That has changed in between, and c was not parked yet when everybody was asked to leave.
		w.attach(c)
		return false
	}
	return true
}

// waits returns what a connection waits for that has sent nothing, or a part of a header; not ok: it has no future.
func (s *Server) waits(p phase, nothing bool) (class park.Class, ok bool) {
	switch {
	case p == fresh && !s.Draining():
		return park.Hello, true
	case !nothing && p != fresh:
		return park.Header, true
	case p == between:
		return park.Idle, s.keepAlives()
	case s.Draining():
		return park.Grace, true
	}
	return park.Header, true
}

// answer runs the handler, and reports whether c goes on to its next request.
func (w *Worker) answer(c *Conn, x *exchange) bool {
	srv := c.srv
	h := srv.HTTP
	if h.ReadTimeout > 0 {
		c.SetReadDeadline(c.beginning().Add(h.ReadTimeout))
	} else {
		c.SetReadDeadline(time.Time{}) // that of the header
	}
	if h.WriteTimeout > 0 {
		c.SetWriteDeadline(time.Now().Add(h.WriteTimeout))
	} else {
		c.SetWriteDeadline(time.Time{})
	}
	w.x = x
	srv.Requests.Add(1)
	c.wear()
	r := &x.req
	if expect := x.expectation(); expect != "" {
		switch {
		case !hasToken([]string{expect}, "100-continue"):
			x.refuseExpectation()
			w.finish(c, x)
			w.end(c)
			return false
		case r.ProtoAtLeast(1, 1) && r.ContentLength != 0:
			x.expects = true
			x.res.canContinue.Store(true)
		}
	}
	if r.ContentLength != 0 {
		w.in.limit(srv.Limits.BodyTimeout)
	}
	srv.ServeHTTP(&x.res, r)
	x.ctx.cancel(context.Canceled)
	if x.res.settle() {
		x.abort()
		w.release()
		return false
	}
	reuse := w.finish(c, x)
	linger := x.res.lingering
	w.x, w.timing = nil, false
	w.in.limit(0)
	c.SetReadDeadline(time.Time{})
	c.SetWriteDeadline(time.Time{})
	switch {
	case linger, c.last && w.in.buffered() > 0: // it could not know that this was the last
		w.linger(c)
		return false
	case !reuse:
		w.end(c)
		return false
	}
	c.phase = between
	c.setState(http.StateIdle)
	if !srv.keepAlives() {
		w.end(c)
		return false
	}
	return true
}

// expectation is the Expect field.
func (x *exchange) expectation() string {
	if !x.special {
		return ""
	}
	return first(x.req.Header, "Expect")
}

func (x *exchange) refuseExpectation() {
	x.res.Header().Set("Connection", "close")
	x.res.WriteHeader(http.StatusExpectationFailed)
}

// end closes c.
func (w *Worker) end(c *Conn) {
	w.release()
	c.End()
}
