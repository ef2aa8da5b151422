package engine

import (
	"context"
	"net/http"
)

// SetLame makes every connection end after its next response.
func (e *Engine) SetLame() { e.http.SetLame() }

// Late returns a number that changes with every request that arrives after SetLame and is not a
// health check. If unseen is true, requests may arrive that it does not count: a connection that
// the http.Server serves is active, and may carry several requests at once.
func (e *Engine) Late() (n int64, unseen bool) {
	turns, active := e.delegated.activity()
	return e.http.Late() + turns, active > 0
}

// NotLate is called by the handler of r if r is a health check. Over HTTP/2 it has no effect.
func (e *Engine) NotLate(r *http.Request) {
	if r.ProtoMajor == 1 {
		e.http.NotLate(r)
	}
}

// AwaitHijacked waits until every handler that has hijacked its connection has returned, or until
// ctx ends. It returns how many are left. Shutdown or Close must have returned before: otherwise
// more handlers may hijack their connections.
func (e *Engine) AwaitHijacked(ctx context.Context) (left int) {
	select {
	case <-e.http.Hijackings.None():
		return 0
	case <-ctx.Done():
		return e.http.Hijackings.N()
	}
}

// report notes that x has changed to a state: whether it serves requests now, or no longer does.
func (d *delegatedConns) report(x *delegatedConn, to http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if active := to == http.StateActive; active != x.active {
		x.active = active
		if active {
			d.active++
			d.turns++
		} else {
			d.active--
		}
	}
}

// activity returns how often a connection has become active, and how many are active.
func (d *delegatedConns) activity() (turns int64, active int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.turns, d.active
}
