package http1

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
)

// An exchange is one request and its response. It is never recycled: a handler may keep any part of
// it. Parts that are often kept (the request, its URL, its context, each string) are allocated
// separately, and refer to nothing larger.
type exchange struct {
	worker *Worker // nil once the exchange has ended
	c      *Conn   // nil once the response has been sent; changes with watchMu held
	srv    *Server

	req  *http.Request
	ctx  *requestContext
	body body
	res  response

	given *givenBody // req.Body, unless that is http.NoBody

	host        string // the first Host field, which is not in req.Header
	hosts       int    // how many Host fields there are
	trailer     bool   // the fields are those of a trailer, where Host has no meaning
	expects     bool   // the client waits for "100 Continue" before it sends the body
	spaceInName bool   // in the name of a header field
	dropped     bool   // the context no longer refers to the exchange
	special     bool   // there are header fields other than Host that the server interprets

	watchMu   sync.Mutex  // held while watching begins or ends for good
	ended     bool        // guarded by watchMu: the exchange may no longer use c
	watched   atomic.Bool // someone wants to know when the client is gone
	receiving atomic.Bool // a part of the request has not been read yet
}

var blankRequest http.Request

// newExchange parses a complete header block.
func (w *Worker) newExchange(c *Conn, block []byte) (*exchange, error) {
	x := &exchange{worker: w, c: c, srv: c.srv}
	x.ctx = &requestContext{base: c.baseCtx(), srv: c.srv, x: x}
	x.req = blankRequest.WithContext(x.ctx) // the only way to set a request's context
	x.res.begin(x)
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
	x.res.head = r.Method == "HEAD"
	x.res.connect = r.Method == "CONNECT"
	x.res.is11 = r.ProtoAtLeast(1, 1)
	x.res.wantsClose = r.Close
	x.res.wants10KeepAlive = r.ProtoMajor == 1 && r.ProtoMinor == 0 && !r.Close
	return x, nil
}

// watch begins to watch for the client hanging up, once the whole request has been read. Until
// then, reads reveal it.
func (x *exchange) watch() {
	x.watchMu.Lock()
	defer x.watchMu.Unlock()
	x.watched.Store(true)
	if !x.receiving.Load() && !x.ended {
		x.c.Watch(x.clientGone)
	}
}

// unwatch stops watching for good, and drops the connection.
func (x *exchange) unwatch() {
	c := x.drop()
	if x.watched.Load() {
		c.Unwatch()
	}
}

// drop drops the connection, and returns it.
func (x *exchange) drop() (c *Conn) {
	x.watchMu.Lock()
	defer x.watchMu.Unlock()
	c = x.c
	x.ended = true
	x.c = nil
	return c
}

// handlerDone ends the request's context, which drops the exchange.
func (x *exchange) handlerDone() {
	x.ctx.handlerDone()
	x.dropped = true
}

// release ends the exchange. From now on neither what a handler has kept of it nor a goroutine that
// the handler left behind can reach the connection or the worker, or keep them in memory. The
// handler has returned, and nothing is read or written any more.
func (x *exchange) release() {
	if !x.dropped {
		x.ctx.release()
	}
	if x.c != nil {
		x.drop()
	}
	x.worker = nil
	if x.res.pre != nil {
		x.res.release()
	}
	// After Hijack, the new owner of the connection may go on reading.
	if x.given != nil && x.res.stage != stageHijacked {
		x.given.body.Store(nil)
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
