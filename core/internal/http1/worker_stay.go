package http1

import "time"

// minIdleToStay is the shortest idle timeout with which a worker stays: a stay does not obey it.
const minIdleToStay = time.Second

// stay waits for the next request of c for a moment, in which c keeps the worker: see
// Scheduler.Stay. It reports whether there is something to read, or the end of the connection.
func (w *Worker) stay(c *Conn) (more bool) {
	if c.phase != keptAlive || w.stayed || w.Reserve || w.in.buffered() > 0 || !w.srv.keepAlives() {
		return false
	}
	if d := w.srv.idleTimeout(); d > 0 && d < minIdleToStay || !c.CanStay() || !c.Scheduler.Stay(c) {
		return false
	}
	w.in.room(bufferSize)
	n := c.Conn.Stay(w.in.readBuf())
	w.in.commit(n)
	interrupted := c.endWait()
	if interrupted {
		c.SetReadDeadline(time.Time{})
	}
	c.Scheduler.Stayed(c, n > 0)
	w.stayed = n == 0
	return n > 0 || !interrupted
}
