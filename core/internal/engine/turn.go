package engine

import (
	"github.com/recycling-go/recycling/core/internal/http1"
	"github.com/recycling-go/recycling/core/internal/park"
	"github.com/recycling-go/recycling/core/pool"
)

// A turn is the time of a worker with one connection, from when the worker takes the connection
// until it gives it up. A worker has one turn after another, in the same variable. It belongs to
// the worker's goroutine, and while that runs a handler, to all goroutines of the handler.
//
// A worker at work has a permit of the pool's group, and its connection has one of the
// queueLimiter. A handler that hijacks its connection may keep the goroutine for long, as for a
// WebSocket. From then on there is neither permit, and the goroutine is no longer a worker. While a
// handler waits, there is neither permit.
type turn struct {
	engine  *Engine
	control *pool.Control

	// current is the shard of the connection, and admitted is the same if the queueLimiter counts
	// the connection. While the handler runs, only count changes admitted, and the pool's mutex is
	// held then, since a handler may pause on one goroutine and hijack on another.
	current, admitted *shard
}

// newWork returns the function with which one worker serves connections, one after another.
func (e *Engine) newWork(control *pool.Control) func(*park.Conn) {
	t := &turn{engine: e, control: control}
	w := http1.NewWorker(e.http)
	control.Count = t.count
	w.Hijacked, w.Pause, w.Resume = func() { control.Leave() }, control.Pause, t.resume
	work := e.work(w)
	return func(c *park.Conn) {
		s := httpConn(c).Scheduler.(*shard)
		t.current, t.admitted = s, s
		defer t.done()
		work(c)
	}
}

// done tells the queueLimiter that the worker is done with the connection, if it counts that.
func (t *turn) done() {
	if s := t.admitted; s != nil {
		t.admitted = nil
		t.engine.queue.done(s, 1)
	}
}

// count is called before the worker's permit of the group is released, and after it was taken. So a
// connection that arrives at that moment may find one place more in the queue than there is, but
// never one less.
func (t *turn) count(change int) {
	if change < 0 {
		t.done()
		return
	}
	t.engine.queue.add(t.current, 1)
	t.admitted = t.current
}

// resume has the handler count again. Like a connection that has to wait, it ends all stays if
// there are more connections than permits.
func (t *turn) resume() {
	if t.control.Resume() && t.engine.queue.crowded() {
		t.engine.leaveStays()
	}
}
