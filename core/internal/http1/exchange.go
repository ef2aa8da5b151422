package http1

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
)

// An exchange is one request and its response. It is never recycled: a handler may keep any part of
// it. Small parts that are often kept (the URL, the context, each string) are allocated separately,
// and refer to nothing larger.
type exchange struct {
	worker *Worker // nil once the exchange has ended, as is c
	c      *Conn
	srv    *Server

	req  http.Request
	ctx  *requestContext
	body body
	res  response

	given *givenBody // req.Body, unless that is http.NoBody

	host        string // the first Host field, which is not in req.Header
	hosts       int    // how many Host fields there are
	trailer     bool   // the fields are those of a trailer, where Host has no meaning
	expects     bool   // the client waits for "100 Continue" before it sends the body
	spaceInName bool   // in the name of a header field
	special     bool   // there are header fields other than Host that the server interprets

	watchMu  sync.Mutex  // held while watching begins or ends for good
	ended    bool        // guarded by watchMu: the exchange may no longer use c
	watched  atomic.Bool // someone wants to know when the client is gone
	received atomic.Bool // the whole request has been read
}

// newExchange parses a complete header block.
func (w *Worker) newExchange(c *Conn, block []byte) (*exchange, error) {
	x := &exchange{worker: w, c: c, srv: c.srv}
	x.ctx = &requestContext{base: c.baseCtx(), srv: c.srv, x: x}
	// WithContext is the only way to set a request's context. The intermediate request stays on the
	// stack.
	x.req = *(&http.Request{}).WithContext(x.ctx)
	x.res.begin(x)
	if err := x.parse(block); err != nil {
		return x, err
	}
	r := &x.req
	r.RemoteAddr = c.RemoteAddr()
	if !c.Parks() {
		// It may call the application's code, which must not happen when the exchange ends.
		c.LocalAddr()
	}
	r.TLS = c.tls
	x.received.Store(r.Body == http.NoBody)
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
	if x.received.Load() && !x.ended {
		x.c.Watch(x.clientGone)
	}
}

// unwatch stops watching for good.
func (x *exchange) unwatch() {
	x.watchMu.Lock()
	x.ended = true
	x.watchMu.Unlock()
	if x.watched.Load() {
		x.c.Unwatch()
	}
}

// release ends the exchange. From now on neither what a handler has kept of it nor a goroutine that
// the handler left behind can reach the connection or the worker, or keep them in memory. The
// handler has returned, and nothing is read or written any more.
func (x *exchange) release() {
	x.ctx.release()
	x.watchMu.Lock()
	x.ended = true
	x.c = nil
	x.watchMu.Unlock()
	x.worker = nil
	x.res.release()
	// After Hijack, the new owner of the connection may go on reading.
	if x.given != nil && x.res.stage != stageHijacked {
		x.given.body.Store(nil)
	}
}

// allReceived notes that the whole request has been read.
func (x *exchange) allReceived() {
	x.received.Store(true)
	if x.watched.Load() && !x.body.taken {
		x.c.Watch(x.clientGone)
	}
}

// clientGone cancels the request's context, and notifies CloseNotify.
func (x *exchange) clientGone() {
	x.ctx.cancel(context.Canceled)
	x.res.notifyClose()
}
