package http1

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
)

// An exchange is one request and its answer. It is allocated in one piece, and never recycled: a
// handler may keep any part of it.
type exchange struct {
	worker *Worker
	c      *Conn

	req  http.Request
	url  url.URL
	ctx  requestContext
	body body
	res  response

	expects     bool // the client waits for "100 Continue" before it sends the body
	spaceInName bool // of a header field
	special     bool // there are header fields that mean something to the server, other than Host

	watchMu  sync.Mutex  // held while watching begins, or ends for good
	ended    bool        // guarded by watchMu: c is no longer this exchange's
	watched  atomic.Bool // somebody wants to know when the client is gone
	received atomic.Bool // the whole request was read
}

// newExchange parses a complete header block.
func (w *Worker) newExchange(c *Conn, block []byte) (*exchange, error) {
	x := &exchange{worker: w, c: c}
	x.ctx.x = x
	// The only way to give a request its context. The request in between stays on the stack.
	x.req = *(&http.Request{}).WithContext(&x.ctx)
	x.res.begin(x)
	if err := x.parse(string(block)); err != nil {
		return x, err
	}
	r := &x.req
	r.RemoteAddr = c.RemoteAddr()
	r.TLS = c.tls
	x.received.Store(r.Body == http.NoBody)
	x.res.head = r.Method == "HEAD"
	x.res.is11 = r.ProtoAtLeast(1, 1)
	x.res.wantsClose = r.Close
	x.res.wants10KeepAlive = r.ProtoMajor == 1 && r.ProtoMinor == 0 && !r.Close
	return x, nil
}

// watch begins to look out for the client hanging up, once its whole request was read: until
// then reading tells.
func (x *exchange) watch() {
	x.watchMu.Lock()
	defer x.watchMu.Unlock()
	x.watched.Store(true)
	if x.received.Load() && !x.ended {
		x.c.Watch(x.clientGone)
	}
}

// unwatch ends that, for good.
func (x *exchange) unwatch() {
	x.watchMu.Lock()
	x.ended = true
	x.watchMu.Unlock()
	if x.watched.Load() {
		x.c.Unwatch()
	}
}

// allReceived notes that the whole request was read.
func (x *exchange) allReceived() {
	x.received.Store(true)
	if x.watched.Load() {
		x.c.Watch(x.clientGone)
	}
}

// clientGone ends the request's context, and tells who asked CloseNotify.
func (x *exchange) clientGone() {
	x.ctx.cancel(context.Canceled)
	x.res.notifyClose()
}
