package http1

import "net/http"

// finishExchange sends what the handler has written, and reports whether the connection can be
// reused.
func (w *Worker) finishExchange(c *Conn, x *exchange) (reuse bool) {
	x.endDeadlines()
	reuse = w.finishResponse(c, x)
	if x.req.MultipartForm != nil {
		x.req.MultipartForm.RemoveAll()
	}
	x.unwatch()
	return reuse
}

// finishResponse sends the rest of the response, and reads the rest of the request if that is worth
// it. The connection may be of a type of the application, whose methods may panic.
func (w *Worker) finishResponse(c *Conn, x *exchange) (reuse bool) {
	x.res.complete()
	return w.conclude(c, x)
}

// complete writes the rest of the response to out. When it returns, mistakes in the response have
// been logged.
func (w *response) complete() {
	w.mu.Lock()
	defer w.unlock()
	w.over = true
	w.stopContinueLocked(true)
	if w.status == 0 {
		w.status = http.StatusOK
		w.noteLimit()
		w.fields = w.x.worker.collect(w.header, false)
		w.takeLength()
	}
	w.pre.Flush()
	w.finishBody()
}

// conclude flushes the response, and detaches the body from the handler.
func (w *Worker) conclude(c *Conn, x *exchange) (reuse bool) {
	res := &x.res
	res.mu.Lock()
	defer res.unlock()
	w.out.Flush()
	whole := true
	x.body.interrupt(c)
	if res.closing {
		// The rest of the body is not worth waiting for. It is discarded while lingering.
		res.lingering = res.lingering || x.body.unread()
		x.body.drop()
	} else {
		var early bool
		whole, early = x.body.detach()
		res.lingering = res.lingering || early || !whole
	}
	return !res.closing && w.writeErr == nil && whole && !(res.tunnel && res.written > 0) && res.copying == 0 &&
		(res.head || res.declared == -1 || !bodyAllowed(res.status) || res.declared == res.written)
}

// endDeadlines prevents the handler from setting deadlines from now on.
func (x *exchange) endDeadlines() {
	x.res.deadlineMu.Lock()
	x.res.late = true
	x.res.deadlineMu.Unlock()
}

// abort ends the exchange without completing the response, so that the client sees it truncated.
func (x *exchange) abort() {
	res := &x.res
	defer func() {
		// On a hijacked connection drop would wait for a Read, for as long as the client is silent.
		if !res.hijacked {
			x.body.drop()
		}
	}()
	x.endDeadlines()
	x.cutOff()
	if !res.hijacked {
		x.body.interrupt(x.c)
	}
}

// cutOff sends what was already flushed to out, and nothing else. It does not repeat a Write that
// has panicked.
func (x *exchange) cutOff() {
	res := &x.res
	res.mu.Lock()
	defer res.unlock()
	over := res.over
	res.over = true
	res.stopContinueLocked(true)
	if !over && !res.hijacked && !x.worker.writing {
		x.worker.out.Flush()
	}
}
