package http1

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

// inARow is how many requests of one connection are answered before others get their turn.
const inARow = 32

var (
	errTooLarge = errors.New("header too large")
	errDelegate = errors.New("another protocol")
)

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
	if v != nil && v != http.ErrAbortHandler {
		buf := make([]byte, 64<<10)
		buf = buf[:runtime.Stack(buf, false)]
		c.srv.Logf("http: panic serving %v: %v\n%s", c.RemoteAddr(), v, buf)
	}
	if x := w.x; x != nil {
		x.ctx.cancel(errCanceled)
		x.abort()
	}
	w.release()
	if c.phase != hijacked {
		c.End()
	}
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
		if n >= inARow && w.in.buffered() > 0 && c.srv.Requeue != nil {
			w.detach(c)
			c.srv.Requeue(c)
			return
		}
	}
}

// open is what comes before the first request. It reports whether there is going to be one.
func (w *Worker) open(c *Conn) bool {
	c.phase = opened
	if c.start() != nil {
		w.end(c)
		return false
	}
	protocol, err := c.handshake()
	switch {
	case err != nil:
		c.refuseTLS(err)
		w.end(c)
	case protocol != "", !w.srv.http1() && !w.srv.http2():
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
	w.srv.Delegate(c, protocol, ahead)
}

// readHeader returns the next header block, valid until the next read; or park.ErrWait if it is
// not complete and nothing can be read at the moment.
func (w *Worker) readHeader(c *Conn) ([]byte, error) {
	limit := c.srv.headerLimit()
	in := &w.in
	for {
		w.skipEmptyLines()
		if in.buffered() > 0 {
			end, next := headerEnd(in.bytes(), c.scanned)
			if end > 0 {
				c.scanned, c.checked = 0, false
				block := in.bytes()[:end]
				if c.phase == opened && end < len(preface) && string(block) == preface[:end] && w.srv.http2() {
					if b := in.bytes(); len(b) >= len(preface) {
						return w.startHTTP2(block)
					}
				} else {
					in.r += end
					return block, nil
				}
			}
			c.scanned = next
		}
		if !in.room(limit) {
			return nil, errTooLarge
		}
		if in.buffered() > 0 {
			if err := w.checkStart(c); err != nil {
				return nil, err
			}
		}
		if c.Parks() && c.Drained() {
			return nil, park.ErrWait
		}
		if c.Parks() {
			err := in.try()
			if err != nil {
				return nil, err
			}
			continue
		}
		if err := w.wait(c); err != nil {
			return nil, err
		}
	}
}

// preface is how HTTP/2 begins on a connection without TLS (RFC 9113 section 3.4). Its beginning looks like a request.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// startHTTP2 tells HTTP/2 from a request that only looks like it.
func (w *Worker) startHTTP2(block []byte) ([]byte, error) {
	if string(w.in.bytes()[:len(preface)]) == preface {
		w.in.r += len(preface)
		return nil, errDelegate
	}
	w.in.r += len(block)
	return block, nil
}

// checkStart refuses a request by its first line, as soon as that is there: who does not speak
// HTTP may never send the rest.
func (w *Worker) checkStart(c *Conn) error {
	b := w.in.bytes()
	i := bytes.IndexByte(b, '\n')
	if i < 0 || c.checked {
		return nil
	}
	c.checked = true
	line, _ := cutLine(string(b[:i+1]))
	return new(exchange).parseRequestLine(line)
}

// skipEmptyLines drops empty lines before a request line (RFC 9112 section 2.2). A bare CR is none.
func (w *Worker) skipEmptyLines() {
	in := &w.in
	for {
		switch b := in.bytes(); {
		case len(b) > 0 && b[0] == '\n':
			in.r++
		case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
			in.r += 2
		default:
			return
		}
	}
}

// wait reads from a connection that does not park.
func (w *Worker) wait(c *Conn) error {
	if w.in.buffered() > 0 {
		w.deadline(c)
		return w.in.fill()
	}
	w.deadline(c)
	c.beginWait()
	if c.srv.unwanted(c.phase) {
		c.Interrupt()
	}
	err := w.in.fill()
	if c.endWait() && err == nil {
		w.timing = false // it is no wait for a request any more
		w.deadline(c)
	}
	return err
}

// unwanted reports whether a connection that waits for a request has no future.
func (s *Server) unwanted(p phase) bool {
	return s.Draining() || p == between && !s.keepAlives()
}

// deadline sets how long a connection that does not park waits: for its next request, and then
// for the header of it to be complete.
func (w *Worker) deadline(c *Conn) {
	if w.timing {
		return
	}
	d := c.srv.headerTimeout()
	if c.phase == between && w.in.buffered() == 0 {
		d = c.srv.idleTimeout()
	} else {
		w.timing = true
	}
	var t time.Time
	if d > 0 {
		t = time.Now().Add(d)
	}
	c.SetReadDeadline(t)
}

// rest parks c, and reports whether it is gone. If not, there is more to read.
func (w *Worker) rest(c *Conn) bool {
	empty, phase := w.in.buffered() == 0, c.phase
	if empty && w.srv.unwanted(phase) {
		w.end(c)
		return true
	}
	class := park.Header
	if empty && phase == between {
		class = park.Idle
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
	case empty && w.srv.unwanted(phase) && c.Take():
		// That began in between, and c was not parked yet when everybody was asked to leave.
		w.attach(c)
		return false
	}
	return true
}

// answer runs the handler, and reports whether c goes on to its next request.
func (w *Worker) answer(c *Conn, x *exchange) bool {
	srv := c.srv
	h := srv.HTTP
	if h.ReadTimeout > 0 {
		c.SetReadDeadline(time.Now().Add(h.ReadTimeout))
	} else {
		c.SetReadDeadline(time.Time{}) // that of the header
	}
	if h.WriteTimeout > 0 {
		c.SetWriteDeadline(time.Now().Add(h.WriteTimeout))
	}
	w.x = x
	srv.Requests.Add(1)
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
	srv.ServeHTTP(&x.res, r)
	x.ctx.cancel(errCanceled)
	if c.phase == hijacked {
		x.abort()
		w.release()
		return false
	}
	reuse := w.finish(c, x)
	linger := x.res.lingering
	w.x, w.timing = nil, false
	c.SetReadDeadline(time.Time{})
	c.SetWriteDeadline(time.Time{})
	switch {
	case linger:
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

// finish sends what the handler has written, and reports whether the connection can be used again.
func (w *Worker) finish(c *Conn, x *exchange) (reuse bool) {
	res := &x.res
	x.endDeadlines()
	res.mu.Lock()
	res.over = true
	if res.status == 0 {
		res.stopContinue()
		res.status = http.StatusOK
		res.fields = w.collect(res.header, false)
		res.takeLength()
	}
	w.pre.Flush()
	res.finishBody()
	w.out.Flush()
	early := false
	if res.closing {
		// What is left of the body is not worth waiting for. It is dropped while lingering.
		res.lingering = res.lingering || x.body.unread()
		x.body.drop()
	} else {
		early = x.body.detach()
		res.lingering = res.lingering || early
	}
	reuse = !res.closing && w.writeErr == nil && !early && !(res.tunnel && res.written > 0) &&
		(res.head || res.declared == -1 || !bodyAllowed(res.status) || res.declared == res.written)
	res.mu.Unlock()
	if x.req.MultipartForm != nil {
		x.req.MultipartForm.RemoveAll()
	}
	if x.watched.Load() {
		c.Unwatch()
	}
	return reuse
}

// endDeadlines makes sure that no deadline is set for this exchange any more.
func (x *exchange) endDeadlines() {
	x.res.deadlineMu.Lock()
	x.res.late = true
	x.res.deadlineMu.Unlock()
}

// abort ends the exchange without an end of its answer: the client sees that it is cut off.
func (x *exchange) abort() {
	res := &x.res
	x.endDeadlines()
	res.stopContinue()
	res.mu.Lock()
	if !res.over && !res.hijacked {
		x.worker.out.Flush()
	}
	res.over = true
	res.mu.Unlock()
	x.body.drop()
}

// end closes c.
func (w *Worker) end(c *Conn) {
	w.release()
	c.End()
}
