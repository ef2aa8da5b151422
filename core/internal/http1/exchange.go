package http1

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
)

// An exchange is one request and its response, as the worker sees them. A handler gets the request,
// its context, and the response, and may keep them. These are allocated for each request, and refer
// to the exchange only until the response has been sent. Then the worker uses it for another
// request, if it is recyclable.
type exchange struct {
	worker *Worker // nil once the exchange has ended
	c      *Conn   // nil once the exchange has ended; changes with watchMu held
	srv    *Server

	req   *http.Request
	ctx   *requestContext
	res   *response
	reply reply // of res
	body  body

	given *givenBody // req.Body, unless that is http.NoBody

	requestState

	watchMu   sync.Mutex      // held while watching begins or ends for good
	watching  *requestContext // guarded by watchMu: ctx while watching may begin; otherwise nil
	watched   atomic.Bool     // someone wants to know when the client is gone
	receiving atomic.Bool     // a part of the request has not been read yet
}

// A requestState is what a recycled exchange forgets of its request.
type requestState struct {
	host        string // the first Host field, which is not in req.Header
	hosts       int    // how many Host fields there are
	trailer     bool   // the fields are those of a trailer, where Host has no meaning
	expects     bool   // the client waits for "100 Continue" before it sends the body
	spaceInName bool   // in the name of a header field
	special     bool   // there are header fields other than Host that the server interprets
	dropped     bool   // ctx no longer refers to the exchange

	// recyclable is set when the response has been sent, if no goroutine that the handler has left
	// behind may still use the exchange: the request has no body, and no ReadFrom is in progress.
	// It is recycled only if nobody has watched the client, too: whoever finds that the client is
	// gone uses the exchange.
	recyclable bool
}

var blankRequest http.Request

// newExchange parses a complete header block.
func (w *Worker) newExchange(c *Conn, block []byte) (*exchange, error) {
	x := w.takeExchange(c)
	if err := x.parse(block); err != nil {
		return x, err
	}
	r := x.req
	r.RemoteAddr = c.RemoteAddr()
	if !c.Parks() {
		// It may call the application's code, which must not happen when the exchange ends.
		c.LocalAddr()
	}
	r.TLS = c.tls
	x.reply.head = r.Method == "HEAD"
	x.reply.connect = r.Method == "CONNECT"
	x.reply.is11 = r.ProtoAtLeast(1, 1)
	x.reply.wantsClose = r.Close
	x.reply.wants10KeepAlive = r.ProtoMajor == 1 && r.ProtoMinor == 0 && !r.Close
	return x, nil
}

// takeExchange returns an exchange for a new request: the last one, if that was recyclable.
func (w *Worker) takeExchange(c *Conn) *exchange {
	x := w.spare
	w.spare = nil
	if x == nil {
		x = &exchange{srv: w.srv}
	}
	x.worker = w
	x.ctx = &requestContext{base: c.baseCtx(), srv: c.srv, x: x}
	x.res = &response{reply: &x.reply, ctx: x.ctx}
	x.watchMu.Lock()
	x.c, x.watching = c, x.ctx
	x.watchMu.Unlock()
	x.req = blankRequest.WithContext(x.ctx) // the only way to set a request's context
	x.reply = reply{x: x, declared: -1, pre: w.pre, out: w.out}
	w.pre.Reset(framer{w}) // it may hold an error, or output of a handler that panicked
	return x
}

// watch begins to watch for the client hanging up on the request of ctx, once the whole request has
// been read. Until then, reads reveal it.
func (x *exchange) watch(ctx *requestContext) {
	x.watchMu.Lock()
	defer x.watchMu.Unlock()
	if x.watching != ctx {
		return // its response has been sent, and x may be used for another request
	}
	x.watched.Store(true)
	if !x.receiving.Load() {
		x.c.Watch(x.clientGone)
	}
}

// unwatch stops watching for good, and drops the connection if the context needs it no more.
func (x *exchange) unwatch() {
	c := x.c
	x.endWatch(x.dropped)
	if x.watched.Load() {
		c.Unwatch()
	}
}

// endWatch makes watch do nothing from now on. If drop is set, it drops the connection.
func (x *exchange) endWatch(drop bool) {
	x.watchMu.Lock()
	defer x.watchMu.Unlock()
	x.watching = nil
	if drop {
		x.c = nil
	}
}

// handlerDone ends the request's context.
func (x *exchange) handlerDone() { x.dropped = x.ctx.handlerDone() }

// release ends the exchange. From now on neither what a handler has kept of it nor a goroutine that
// the handler left behind can reach the connection or the worker, or keep them in memory. The
// handler has returned, and nothing is read or written any more.
func (x *exchange) release() {
	if !x.dropped {
		x.ctx.release()
	}
	if x.c != nil {
		x.endWatch(true)
	}
	if x.reply.pre != nil {
		x.res.release()
	}
	// After Hijack, the new owner of the connection may go on reading.
	if x.given != nil && x.res.stage != stageHijacked {
		x.given.body.Store(nil)
	}
	w := x.worker
	x.worker = nil
	if x.recyclable && !x.watched.Load() {
		x.req, x.ctx, x.res = nil, nil, nil
		x.requestState = requestState{}
		w.spare = x
	}
}

// allReceived notes that the whole request has been read.
func (x *exchange) allReceived() {
	x.receiving.Store(false)
	if x.watched.Load() && !x.body.taken {
		x.c.Watch(x.clientGone)
	}
}

// clientGone cancels the request's context, and notifies CloseNotify.
func (x *exchange) clientGone() {
	x.ctx.cancel(context.Canceled)
	x.res.notifyClose()
}
