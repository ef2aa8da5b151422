package http1

import "net/http"

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
	whole := true
	x.body.interrupt(c)
	if res.closing {
		// What is left of the body is not worth waiting for. It is dropped while lingering.
		res.lingering = res.lingering || x.body.unread()
		x.body.drop()
	} else {
		var early bool
		whole, early = x.body.detach()
		res.lingering = res.lingering || early
	}
	reuse = !res.closing && w.writeErr == nil && whole && !(res.tunnel && res.written > 0) &&
		(res.head || res.declared == -1 || !bodyAllowed(res.status) || res.declared == res.written)
	res.mu.Unlock()
	if x.req.MultipartForm != nil {
		x.req.MultipartForm.RemoveAll()
	}
	x.unwatch()
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
	if !res.hijacked {
		x.body.interrupt(x.c)
	}
	x.body.drop()
}
