package park

import "time"

// Watch calls f once when the client has hung up, from a goroutine that must not be kept
// waiting; at once if it is known already. A client that has sent bytes nobody
// read yet does not count as gone, as in net/http: what it sent may be the next request.
// Call Recheck when all those bytes have been read.
//
// A connection in the set is registered, no more. For others a goroutine reads one byte
// ahead, as net/http does for every request, until Unwatch.
func (c *Conn) Watch(f func()) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.gone = f
	parks := c.Parks()
	if !parks && c.probe == nil {
		c.probe = newProbe(c)
	}
	c.mu.Unlock()
	if parks {
		c.register()
		c.Recheck()
	}
}

// Unwatch ends what Watch began.
func (c *Conn) Unwatch() {
	c.mu.Lock()
	c.gone = nil
	c.mu.Unlock()
	if s := c.sec.Load(); s != nil {
		s.settled()
	}
}

// Recheck looks whether the client of a watched connection is gone.
func (c *Conn) Recheck() {
	if s := c.sec.Load(); s != nil {
		s.recheck()
		return
	}
	c.mu.Lock()
	gone := c.gone
	if gone == nil || c.ended || !c.Parks() || !c.hungUpLocked() {
		c.mu.Unlock()
		return
	}
	c.gone = nil
	c.mu.Unlock()
	gone()
}

// notice is Recheck after an event that has come to the leader.
func (c *Conn) notice(hungUp bool) {
	if hungUp {
		c.hungUp.Store(true)
	}
	switch s := c.sec.Load(); {
	case s == nil && hungUp:
		c.Recheck()
	case s != nil && c.watched():
		go s.recheck()
	}
}

func (c *Conn) watched() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone != nil
}

// A probe reads one byte ahead of a connection that is in no set.
type probe struct {
	b    [1]byte
	n    int
	done chan struct{} // closed when the read has returned
}

func newProbe(c *Conn) *probe {
	p := &probe{done: make(chan struct{})}
	c.nc.SetReadDeadline(time.Time{})
	go p.read(c)
	return p
}

// read waits for a byte or for the end. It is ended by unprobe, which waits for it.
func (p *probe) read(c *Conn) {
	n, err := c.nc.Read(p.b[:])
	c.mu.Lock()
	p.n = n
	var gone func()
	if n == 0 && err != nil && c.probe == p {
		gone, c.gone = c.gone, nil
	}
	c.mu.Unlock()
	close(p.done)
	if gone != nil {
		gone()
	}
}

// unprobe ends the probe, if there is one, and returns it: it may have read a byte.
func (c *Conn) unprobe() *probe {
	c.mu.Lock()
	p := c.probe
	if p == nil {
		c.mu.Unlock()
		return nil
	}
	c.probe, c.unprobing = nil, true
	c.mu.Unlock()
	c.nc.SetReadDeadline(time.Unix(1, 0))
	<-p.done
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unprobing = false
	c.nc.SetReadDeadline(fromNanos(c.readBy.Load())) // somebody may have set it meanwhile: Shutdown
	return p
}

// endProbe is unprobe for a connection that is given away.
func (c *Conn) endProbe() []byte {
	if p := c.unprobe(); p != nil {
		return p.b[:p.n]
	}
	return nil
}
