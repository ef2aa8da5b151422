package http1

import "net/http"

// finishExchange sends what the handler has written, unless it has hijacked the connection, and
// reports whether the connection can be reused.
func (w *Worker) finishExchange(c *Conn, x *exchange) (reuse, hijacked bool) {
	reuse, hijacked = w.finishResponse(c, x)
	if hijacked {
		return false, true
	}
	if x.req.MultipartForm != nil {
		x.req.MultipartForm.RemoveAll()
	}
	x.unwatch()
	return reuse, false
}

// finishResponse sends the rest of the response, and reads the rest of the request if that is worth
// it. The connection may be of a type of the application, whose methods may panic.
func (w *Worker) finishResponse(c *Conn, x *exchange) (reuse, hijacked bool) {
	res := x.res
	res.mu.Lock()
	defer res.unlock()
	if res.handlerDone(); res.stage == stageHijacked {
		return false, true
	}
	x.endDeadlines()
	res.completeLocked()
	res.logSaid()
	return w.concludeLocked(c, x), false
}

// completeLocked writes the rest of the response to out.
func (w *response) completeLocked() {
	w.stopContinueLocked(true)
	if w.status == 0 {
		w.status = http.StatusOK
		w.noteMaxBytes()
		w.fields = w.x.worker.collect(w.header, false)
		w.takeLength()
	}
	w.pre.Flush()
	w.finishBody()
}

// concludeLocked flushes the response, which then no longer refers to the worker, and detaches the
// body from the handler.
func (w *Worker) concludeLocked(c *Conn, x *exchange) (reuse bool) {
	res := x.res
	w.last = res.reuse != reuseConn
	w.out.Flush()
	w.last = false
	res.releaseLocked()
	if x.given != nil {
		x.concludeBody(c)
	}
	if x.recyclable = x.given == nil && res.copying == 0; x.recyclable {
		res.reply = nil // or it would keep a later request in memory, which is not recyclable
	}
	return x.reply.reusable() && w.writeErr == nil
}

// reusable reports whether the connection can be reused after a response that was sent without an
// error.
func (r *reply) reusable() bool {
	return r.reuse == reuseConn && !(r.tunnel && r.written > 0) && r.copying == 0 &&
		(r.head || r.declared == -1 || !bodyAllowed(r.status) || r.declared == r.written)
}

// concludeBody detaches the body from the handler.
func (x *exchange) concludeBody(c *Conn) {
	res := x.res
	x.body.interrupt(c)
	if res.reuse != reuseConn {
		// The rest of the body is not worth waiting for. It is discarded while lingering.
		if x.body.unread() {
			res.close(lingerConn)
		}
		x.body.drop()
	} else if whole, early := x.body.detach(); early || !whole {
		res.close(lingerConn)
	}
}

// endDeadlines prevents the handler from setting deadlines from now on.
func (x *exchange) endDeadlines() {
	x.res.deadlineMu.Lock()
	x.res.late = true
	x.res.deadlineMu.Unlock()
}

// abort ends the exchange without completing the response, so that the client sees it truncated.
func (x *exchange) abort(c *Conn) {
	x.recyclable = false
	res := x.res
	defer func() {
		// On a hijacked connection drop would wait for a Read, for as long as the client is silent.
		if res.stage != stageHijacked {
			x.body.drop()
		}
	}()
	x.endDeadlines()
	x.cutOff()
	if res.stage != stageHijacked {
		x.body.interrupt(c)
	}
}

// cutOff sends what was already flushed to out, and nothing else. It does not repeat a Write that
// has panicked.
func (x *exchange) cutOff() {
	res := x.res
	res.mu.Lock()
	defer res.unlock()
	if res.reply == nil {
		return // everything was sent
	}
	flush := res.stage == stageHandler && !x.worker.writing
	res.handlerDone()
	res.stopContinueLocked(true)
	if flush {
		x.worker.out.Flush()
	}
}
