package park

import (
	"crypto/tls"
	"net"
	"syscall"

	"github.com/recycling-go/recycling/listener/proxyproto"
)

// This file holds the ways to close or abandon a connection.

// CloseWrite tells the client that no more data follows.
func (c *Conn) CloseWrite() error {
	if s := c.sec.Load(); s != nil {
		s.wire.closing.Store(true)
		return s.conn.CloseWrite()
	}
	h, err := c.halfClose()
	if err != nil || h.kind.bare() {
		return err
	}
	return h.closeWrite()
}

// halfClose implements CloseWrite for a bare descriptor. For other connections it returns the
// handle.
func (c *Conn) halfClose() (handle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return handle{}, net.ErrClosed
	case !c.handle.kind.bare(), c.is(endSentFlag):
		return c.handle, nil
	}
	return c.handle, c.opError("close", errnoOrNil(sysShutdown(int(c.handle.fd), shutWrite)))
}

// WriteEnd is Write for the last bytes. If c is a bare descriptor without TLS, and the kernel takes
// all of b at once, it also does what CloseWrite does. Then the kernel sends the end in the same
// packet as the last bytes, which saves a packet, its acknowledgement, and waking the client once
// more: on loopback, a fifth of the CPU of a connection with one request.
//
// This takes two system calls, and Close is a third. The kernel would also send one packet if Close
// followed the first of them. But if the client has sent more than was read, Close makes the kernel
// drop what it has not sent, and reset the connection: the response would be lost.
func (c *Conn) WriteEnd(b []byte) (int, error) {
	n := 0
	if c.useToWrite() {
		var errno syscall.Errno
		n, errno = c.writeEnd(b)
		c.unuse()
		switch {
		case errno != 0 && errno != syscall.EAGAIN:
			return 0, c.opError("write", errno)
		case n == len(b):
			return n, nil
		}
	}
	m, err := c.Write(b[n:])
	return n + m, err
}

// writeEnd is WriteEnd without waiting. If it has not written all of b, it has not sent the end.
func (c *Conn) writeEnd(b []byte) (n int, errno syscall.Errno) {
	n, errno = sysWriteMore(int(c.handle.fd), b)
	if errno != 0 {
		return 0, errno
	}
	if n == len(b) && sysShutdown(int(c.handle.fd), shutWrite) == 0 {
		c.flags.Or(endSentFlag)
	}
	return n, 0
}

// Abandon makes every operation on c fail from now on. It reports whether c was parked, in which
// case the caller now owns it. Otherwise c's worker closes it.
func (c *Conn) Abandon() (mine bool) {
	c.flags.Or(abandonedFlag) // before Take: a worker that misses the flag has parked
	if c.Take() {
		return true
	}
	c.cut()
	c.clientGone()
	return false
}

// cut makes reading and writing fail. The owner still has to close the descriptor.
func (c *Conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.handle.cut()
	}
}

// shutDown wakes goroutines that are blocked in a system call on nc, whose socket the application
// may have made blocking: Close would wait for them.
func shutDown(nc net.Conn) {
	switch nc := nc.(type) {
	case *proxyproto.Conn:
		shutDown(nc.NetConn())
	case *net.TCPConn:
		nc.CloseRead()
		nc.CloseWrite()
	case *net.UnixConn:
		nc.CloseRead()
		nc.CloseWrite()
	case *tls.Conn: // its Close would wait for room for close_notify
		nc.NetConn().Close()
	}
}

// GiveUp makes reading and writing fail from now on, so that Close does not wait. The caller must
// own c.
func (c *Conn) GiveUp() { c.cut() }

// clientGone calls the function that Watch was given.
func (c *Conn) clientGone() {
	c.mu.Lock()
	gone := c.gone
	c.gone = nil
	c.mu.Unlock()
	if gone != nil {
		gone()
	}
}

// Close closes the connection. The caller must own it; afterwards nobody does. A second call does
// nothing.
//
// With TLS, if the client reads so slowly that there is no room for close_notify, Close returns and
// the connection is closed later.
func (c *Conn) Close() error {
	if s := c.sec.Load(); s != nil && !c.isEnded() {
		c.Unwatch()
		s.finish()
		if s.direct.Load() != nil {
			return c.closeDirect(s)
		}
		if !s.close() && !c.is(abandonedFlag) {
			go c.closeLater(s.wire.unsent)
			return nil
		}
	}
	return c.finish()
}

// finish completes Close. It closes the net.Conn or descriptor even if a method of the
// application's net.Conn panics. With SO_LINGER it does so on another goroutine: close(2) waits
// until the client has taken everything, whether or not the socket is blocking.
func (c *Conn) finish() (err error) {
	defer func() {
		if c.lingers() {
			go c.end().closeSlowly()
		} else {
			err = c.end().close()
		}
	}()
	if !c.parks {
		c.unprobe()
	}
	return nil
}

func (c *Conn) isEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// end removes c from the set, makes it unusable, and returns what remains to be closed.
func (c *Conn) end() handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return handle{}
	}
	c.state.do(actEnd)
	c.ended = true
	h := c.becomeAbsent()
	c.gone = nil
	c.set.deadlines.leave(c)
	c.set.remove(c)
	return h
}
