package http1

import (
	"time"

	"github.com/recycling-go/recycling/core/internal/clock"
	"github.com/recycling-go/recycling/core/observe"
)

// An observation is what a worker tells Server.Observer about its current request.
type observation struct {
	observe.Request
	active bool   // RequestStart was called, RequestEnd was not
	ending bool   // RequestEnd was called, and has not returned: the Observer may have kept Request
	wrote  bool   // FirstByte is when the whole response was written
	route  string // of SetRoute; guarded by the mu of the request's context
}

// A Moment is a time at which connections became readable, in units of readableUnit. Schedulers
// note it if there is an Observer. It is never zero, and repeats after 71 minutes.
type Moment uint32

const readableUnit = time.Microsecond

// Readable returns the current Moment.
func Readable() Moment { return moment(clock.Now()) | 1 }

func moment(now int64) Moment { return Moment(now / int64(readableUnit)) }

// Note notes that c, which the caller owns, became readable at m.
func (m Moment) Note(c *Conn) { c.readable = m }

// takeQueued returns how long c has waited since its Moment, and forgets that.
func (c *Conn) takeQueued(now int64) time.Duration {
	was := c.readable
	if was == 0 {
		return 0
	}
	c.readable = 0
	waited := int32(moment(now) - was) // below zero if it repeats, or in the same microsecond
	return time.Duration(max(waited, 0)) * readableUnit
}

// observeStart tells the Observer that the handler is about to be called.
func (w *Worker) observeStart(c *Conn, x *exchange) {
	now := clock.Now()
	o := w.observation
	if o == nil || o.ending {
		o = new(observation)
		w.observation = o
	}
	r := x.req
	*o = observation{active: true}
	o.HTTP, o.Method, o.Path, o.RemoteAddr = r, r.Method, r.URL.Path, r.RemoteAddr
	o.TLS, o.ContentLength = r.TLS != nil, r.ContentLength
	o.ProtoMajor, o.ProtoMinor = r.ProtoMajor, r.ProtoMinor
	o.Start = time.Duration(now)
	o.Queued = w.waited + c.takeQueued(now)
	w.waited = 0
	w.srv.Observer.RequestStart(&o.Request)
}

// observeWrite notes when something was written. The response of most requests is one write, after
// which nothing else happens: then the clock is read once for FirstByte and Duration.
func (w *Worker) observeWrite() {
	o := w.observation
	if o == nil || !o.active || w.x == nil || !w.x.reply.sent {
		return
	}
	if o.FirstByte > 0 {
		o.wrote = false
		return
	}
	o.FirstByte = max(observe.Now()-o.Start, 1)
	o.wrote = w.x.res.stage == stageDone
}

// observeEnd tells the Observer that the current request has ended.
func (w *Worker) observeEnd(x *exchange, outcome observe.Outcome) {
	o := w.observation
	if o == nil || !o.active {
		return
	}
	o.active = false
	if o.Duration = o.FirstByte; !o.wrote {
		o.Duration = observe.Now() - o.Start
	}
	if outcome == observe.Completed && w.writeErr != nil {
		outcome = observe.Aborted
	}
	o.Outcome = outcome
	o.Status, o.Written = x.reply.status, x.reply.written
	x.ctx.mu.Lock()
	o.Route = o.route
	x.ctx.mu.Unlock()
	if o.Route == "" {
		o.Route = x.req.Pattern
	}
	o.ending = true
	w.srv.Observer.RequestEnd(&o.Request)
	o.ending, o.HTTP = false, nil
}

// outcomeAfterPanic returns the outcome of an exchange whose handler did not return.
func outcomeAfterPanic(x *exchange) observe.Outcome {
	if x.res.stage == stageHijacked {
		return observe.Hijacked
	}
	return observe.Aborted
}

// SetRoute implements route.Setter.
func (x *requestContext) SetRoute(pattern string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.x == nil {
		return
	}
	if w := x.x.worker; w != nil && w.observation != nil {
		w.observation.route = pattern
	}
}

// Observe tells the Observer about c. The caller need not own c. The address of a connection that
// does not park is left out: asking for it may call the application's code.
func (c *Conn) Observe(kind observe.ConnKind, why observe.Reason) {
	o := c.srv.Observer
	if o == nil {
		return
	}
	e := observe.ConnEvent{Kind: kind, Reason: why, Time: observe.Now()}
	if c.Parks() {
		e.RemoteAddr = c.RemoteAddr()
	}
	c.guard(func() { o.Conn(e) })
}
