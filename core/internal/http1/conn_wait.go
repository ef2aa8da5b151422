package http1

import "time"

// This file is about the wait for the first bytes of a request, in which a worker keeps its
// connection: because that does not park, or because the worker stays with it.

// BeginStay is called by Scheduler.Stay before it returns true: from now on Leave has an effect.
func (c *Conn) BeginStay() { c.beginWait() }

// Leave ends the wait of a worker that stays with c.
func (c *Conn) Leave() {
	c.waitMu.Lock()
	defer c.waitMu.Unlock()
	if c.waiting {
		c.interrupted = true
		c.SetReadDeadline(time.Unix(1, 0))
	}
}

func (c *Conn) interrupt() {
	c.waitMu.Lock()
	defer c.waitMu.Unlock()
	if !c.waiting || c.interrupted {
		return
	}
	c.interrupted = true
	if c.first {
		c.SetReadDeadline(time.Now().Add(GraceTime))
	} else {
		c.SetReadDeadline(time.Now().Add(lastChance))
	}
}

// beginWait notes that c's worker begins to wait for the first bytes of a request.
func (c *Conn) beginWait() {
	c.waitMu.Lock()
	c.waiting, c.interrupted, c.first = true, false, c.phase != keptAlive
	c.waitMu.Unlock()
}

// endWait notes that the wait is over, and reports whether Interrupt has set the read deadline.
func (c *Conn) endWait() (interrupted bool) {
	c.waitMu.Lock()
	defer c.waitMu.Unlock()
	c.waiting = false
	return c.interrupted
}
