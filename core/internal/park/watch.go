package park

import (
	"errors"
	"io"
	"net"
	"runtime/debug"
	"time"
)

// Watch calls f once when the client has hung up, on a goroutine that must not be blocked, or at
// once if that is already known. A client that has sent bytes that are not read yet does not count
// as gone, as in net/http: they may be the next request. Call Recheck after reading all of them.
//
// A connection that parks is merely registered in the set. For others a goroutine reads one byte
// ahead until Unwatch, as net/http does for every request.
func (c *Conn) Watch(f func()) {
	if c.watch(f) && c.Parks() {
		c.watchParked()
	}
}

// watchPause is how long to wait before trying again when the system does not let c into the set.
const watchPause = 50 * time.Millisecond

// watchParked starts watching a connection that parks.
func (c *Conn) watchParked() {
	if err := c.register(); err != nil && !errors.Is(err, net.ErrClosed) {
		time.AfterFunc(watchPause, c.watchAgain)
	}
	c.Recheck()
}

func (c *Conn) watchAgain() {
	if c.watched() {
		c.watchParked()
	}
}

// watch records f, and reports whether there is a connection to watch.
func (c *Conn) watch(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.gone = f
	if !c.Parks() && c.probe == nil {
		c.probe = newProbe(c)
	}
	return true
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

// Recheck checks whether the client of a watched connection is gone.
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

// notice handles an event that the leader received for c.
func (c *Conn) notice(hungUp bool) {
	if hungUp {
		c.flags.Or(hungUpFlag)
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

// A probe reads one byte ahead on a connection that is not in an epoll set.
type probe struct {
	b    [1]byte
	n    int
	done chan struct{} // closed when the read has returned
}

func newProbe(c *Conn) *probe {
	p := &probe{done: make(chan struct{})}
	c.handle.nc.SetReadDeadline(time.Time{})
	go p.read(c)
	return p
}

// read waits for a byte or for the end of the connection. unprobe interrupts it and waits for it to
// return. A panic in the application's net.Conn ends the connection, and so does Goexit.
func (p *probe) read(c *Conn) {
	n, err := 0, io.ErrUnexpectedEOF
	returned := false
	defer func() {
		if !returned {
			c.panicked(recover())
		}
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
	}()
	n, err = c.handle.nc.Read(p.b[:])
	returned = true
}

// panicked ends c after a panic that its worker does not see; a nil v means Goexit.
func (c *Conn) panicked(v any) {
	defer func() { recover() }() // of Logf or of closing the net.Conn
	if v != nil && c.set.config.Logf != nil {
		c.set.config.Logf("http: panic reading from a connection: %v\n%s", v, debug.Stack())
	}
	c.flags.Or(abandonedFlag)
	c.cut()
}

// unprobe ends the probe, if there is one, and returns it: it may have read a byte.
func (c *Conn) unprobe() *probe {
	p := c.takeProbe()
	if p == nil {
		return nil
	}
	defer c.unprobed()
	c.handle.nc.SetReadDeadline(longAgo)
	<-p.done
	return p
}

func (c *Conn) takeProbe() *probe {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.probe
	c.probe, c.unprobing = nil, p != nil
	return p
}

// unprobed restores the read deadline, which may have changed meanwhile, for example by Shutdown.
func (c *Conn) unprobed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unprobing = false
	c.handle.nc.SetReadDeadline(fromNanos(c.readBy.Load()))
}

// endProbe ends the probe of a connection that is given away, and returns the byte it has read.
func (c *Conn) endProbe() []byte {
	if p := c.unprobe(); p != nil {
		return p.b[:p.n]
	}
	return nil
}
