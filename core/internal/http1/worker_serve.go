package http1

import (
	"context"
	"net/http"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"github.com/recycling-go/recycling/core/internal/clock"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/core/observe"
)

// While others wait for a worker, a connection's turn ends after maxRequestsPerTurn requests in a
// row, or once others have been seen waiting for turnTime.
const (
	maxRequestsPerTurn = 32
	turnTime           = 10 * time.Millisecond
)

// unlabelled carries no profiler labels.
var unlabelled = context.Background()

// Serve serves requests on c until there is nothing more to read, and then parks c, or until c
// ends. The caller owns c, and gives up ownership when it calls Serve.
//
// A handler that panics ends its connection. A handler that calls runtime.Goexit also ends the
// caller's goroutine, as it would end a goroutine of net/http.
func (w *Worker) Serve(c *Conn) {
	returned := false
	defer func() {
		// Undo what a handler may have set on the goroutine.
		pprof.SetGoroutineLabels(unlabelled)
		debug.SetPanicOnFault(false)
		if !returned {
			w.rescue(c, recover())
		}
	}()
	w.serve(c)
	returned = true
}

// rescue ends c after a panic, or after Goexit if v is nil. The code it calls may panic or call
// Goexit again: the application's log writer, a hook or its net.Conn. The remaining steps run
// nevertheless.
func (w *Worker) rescue(c *Conn, v any) {
	defer func() {
		w.release()
		if c.phase != hijacked {
			c.End()
		}
	}()
	if x := w.x; x != nil {
		defer c.guard(func() { w.observeEnd(x, outcomeAfterPanic(x)) })
		defer c.guard(func() { x.abort(c) })
		defer c.guard(x.handlerDone)
	}
	c.guard(func() { c.logPanic(v) })
}

// guard calls f, and logs a panic of f instead of passing it on. It is for code that does not run
// in a worker's main path, or that has to end c. It does not stop a Goexit of f.
func (c *Conn) guard(f func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		defer func() { recover() }() // the log itself may panic
		c.logPanic(v)
	}()
	f()
	returned = true
}

// logPanic logs v with a stack trace, as net/http does. It does nothing for http.ErrAbortHandler,
// and for nil, which means Goexit.
func (c *Conn) logPanic(v any) {
	if v == nil || v == http.ErrAbortHandler {
		return
	}
	buf := make([]byte, 64<<10)
	buf = buf[:runtime.Stack(buf, false)]
	c.srv.Logf("http: panic serving %v: %v\n%s", c.peer(), v, buf)
}

// peer returns RemoteAddr for the log, and survives a panic of that method.
func (c *Conn) peer() (addr string) {
	defer func() {
		if recover() != nil {
			addr = "an unknown peer"
		}
	}()
	return c.RemoteAddr()
}

func (w *Worker) serve(c *Conn) {
	c.Resume(ForNext)
	if c.readable != 0 && !c.Parks() { // from now on the worker waits for the client
		w.waited = c.takeQueued(clock.Now())
	}
	if c.phase == lingering {
		w.serveLinger(c)
		return
	}
	w.attach(c)
	w.crowded = time.Time{}
	if (c.phase == fresh || c.phase == expecting) && !w.open(c) {
		return
	}
	for n := 1; ; n++ {
		block, err := w.readHeader(c)
		if err == park.ErrWait {
			if w.parkOrEnd(c) {
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
			w.writeError(c, err)
			return
		}
		if !w.srv.http1() {
			w.end(c)
			return
		}
		if n > 1 && w.mustYield(c, n-1) {
			w.in.r -= len(block) // for the worker of the next turn
			c.beganAt = 0        // time spent in the queue does not count against the client
			w.detach(c)
			c.Scheduler.Requeue(c)
			return
		}
		c.Began()
		w.setDeadlines(c)
		c.clearNoHeaderYet()
		c.setState(http.StateActive)
		x, err := w.newExchange(c, block)
		if err != nil {
			w.writeError(c, err)
			return
		}
		if !w.serveRequest(c, x) {
			return
		}
		w.stayed = false
		if w.Reserve {
			w.leaveReserve(c)
			return
		}
	}
}

// mustYield reports whether c, which has another request after n responses, has to yield its worker
// to other connections. It reads the clock only while others wait.
func (w *Worker) mustYield(c *Conn, n int) bool {
	if n%maxRequestsPerTurn == 0 {
		runtime.Gosched() // the leader may have had no processor meanwhile
	}
	if !c.Scheduler.Crowded() {
		w.crowded = time.Time{}
		return false
	}
	if n >= maxRequestsPerTurn {
		return true
	}
	now := time.Now()
	if w.crowded.IsZero() {
		w.crowded = now
	}
	return now.Sub(w.crowded) >= turnTime
}

// leaveReserve is what a worker in reserve does after a request: it parks c if there is nothing to
// read, and otherwise passes it to another worker.
func (w *Worker) leaveReserve(c *Conn) {
	if w.in.buffered() == 0 {
		// Read first: a TLS connection may hold bytes from the socket that it has not returned yet,
		// for which no event comes any more.
		w.in.room(bufferSize)
		switch err := w.readMore(c); {
		case err == park.ErrWait:
			if w.parkOrEnd(c) {
				return
			}
		case err != nil:
			w.end(c)
			return
		}
	}
	w.detach(c)
	c.Scheduler.Enqueue(c)
}

// open prepares a new connection for its first request. It reports whether the worker goes on to
// read that request; if not, the connection was passed on or has ended.
func (w *Worker) open(c *Conn) bool {
	if !w.readProxyHeader(c) {
		return false
	}
	if c.callNewHooks() != nil {
		w.end(c)
		return false
	}
	if c.Standing == Unadmitted && !c.Admit() {
		w.release()
		return false
	}
	if c.needsHandshake() {
		w.readClientHello(c)
		return false
	}
	c.phase = opened
	protocol, err := c.handshake()
	switch {
	case err != nil:
		c.logTLS(err)
		w.end(c)
	case protocol != "":
		w.delegate(c, protocol)
	case c.noProtocol():
		w.end(c)
	default:
		return true
	}
	return false
}

// delegate passes c, and the bytes read from it, to the implementation of another protocol.
func (w *Worker) delegate(c *Conn, protocol string) {
	ahead := append([]byte(nil), w.in.bytes()...)
	w.release()
	c.clearNoHeaderYet()
	c.SetReadDeadline(time.Time{})
	c.listener.Delegate(c, protocol, ahead)
}

// parkOrEnd parks c, or ends it if it may not wait, and reports whether c is gone. If not, there is
// more to read.
func (w *Worker) parkOrEnd(c *Conn) bool {
	if w.stay(c) {
		return false
	}
	empty := w.in.buffered() == 0
	phase := c.waitPhase(empty)
	class, ok := w.srv.parkClass(phase, empty)
	if !ok {
		if c.Parks() && w.readNow() {
			// The bytes came after the last read. The client was not told that the connection would
			// close.
			return false
		}
		w.end(c)
		return true
	}
	if class == ForFirst || class == ForHeader {
		c.begin()
	}
	w.detach(c)
	parked, err := c.Park(class)
	switch {
	case err != nil:
		c.logIfLate(err)
		c.End()
		return true
	case !parked:
		c.Resume(ForNext)
		w.attach(c)
		return false
	}
	if now, ok := w.srv.parkClass(phase, empty); (!ok || now != class) && c.Take() {
		// The class has changed in between, and c was not parked yet when shutdown looked for
		// parked connections.
		w.attach(c)
		return false
	}
	return true
}

// setDeadlines sets the deadlines of a request whose header is complete. As in net/http, deadlines
// that the application has set on the net.Conn passed to a hook are replaced: the read deadline
// here and after each request, the write deadline after each request, and here if there is a
// WriteTimeout.
func (w *Worker) setDeadlines(c *Conn) {
	h := c.srv.HTTP
	if h.ReadTimeout > 0 {
		c.SetReadDeadline(c.beginning().Add(h.ReadTimeout))
	} else {
		c.SetReadDeadline(time.Time{}) // clears that of the header
	}
	if h.WriteTimeout > 0 {
		c.SetWriteDeadline(time.Now().Add(h.WriteTimeout))
	} else if c.tls != nil && !c.Parks() {
		c.SetWriteDeadline(time.Time{}) // clears that of the header
	}
}

// serveRequest runs the handler, and reports whether c goes on to its next request.
func (w *Worker) serveRequest(c *Conn, x *exchange) bool {
	srv := c.srv
	w.x = x
	srv.Requests.Add(c.Shard, 1)
	c.countRequest()
	if srv.Observer != nil {
		w.observeStart(c, x)
	}
	r := x.req
	if srv.lame.Load() {
		srv.countLate(r)
	}
	if expect := x.expectation(); expect != "" {
		switch {
		case !hasToken([]string{expect}, "100-continue"):
			x.refuseExpectation()
			x.handlerDone()
			w.finishExchange(c, x)
			w.observeEnd(x, observe.Completed)
			w.closeAfter(c, x)
			return false
		case r.ProtoAtLeast(1, 1) && r.ContentLength != 0:
			x.expects = true
			x.res.canContinue.Store(true)
		}
	}
	if r.ContentLength != 0 {
		w.in.limit(srv.Limits.BodyTimeout)
	}
	srv.ServeHTTP(x.res, r)
	x.handlerDone()
	reuse, hijacked := w.finishExchange(c, x)
	if hijacked {
		x.abort(c)
		w.observeEnd(x, observe.Hijacked)
		w.release()
		return false
	}
	w.observeEnd(x, observe.Completed)
	w.timing = false
	w.in.limit(0)
	c.SetReadDeadline(time.Time{})
	c.SetWriteDeadline(time.Time{})
	if !reuse {
		w.closeAfter(c, x)
		return false
	}
	w.endExchange()
	c.phase = keptAlive
	if c.hooked != nil {
		c.setState(http.StateIdle)
		c.SetReadDeadline(time.Time{}) // the hook may have set one
	}
	// True even if keep-alives were disabled meanwhile: the client may already have sent a request.
	return true
}

// expectation returns the value of the Expect field.
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
