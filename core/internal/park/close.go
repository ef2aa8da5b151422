package park

import (
	"errors"
	"net"
	"os"
)

// How a connection comes to its end.

// CloseWrite tells the client that nothing more comes.
func (c *Conn) CloseWrite() error {
	if s := c.sec.Load(); s != nil {
		s.wire.closing.Store(true)
		return s.conn.CloseWrite()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return net.ErrClosed
	}
	if c.nc == nil {
		return c.opError("close", errnoOrNil(sysShutdown(c.fd, shutWrite)))
	}
	if w, ok := c.nc.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Abandon makes whatever anybody does on c fail from now on. It reports whether c was parked: then
// it is the caller's now. If not, it is for its worker to close.
func (c *Conn) Abandon() (mine bool) {
	c.abandoned.Store(true) // before Take: a worker that does not see it has parked
	if c.Take() {
		return true
	}
	c.cut()
	c.clientGone()
	return false
}

// cut makes reading and writing fail. The descriptor stays its owner's.
func (c *Conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
	case c.nc != nil:
		c.nc.Close()
	default:
		sysShutdown(c.fd, shutBoth)
	}
}

// clientGone tells whoever watches.
func (c *Conn) clientGone() {
	c.mu.Lock()
	gone := c.gone
	c.gone = nil
	c.mu.Unlock()
	if gone != nil {
		gone()
	}
}

// Close closes the connection. The caller must have it; nobody has it afterwards.
// A second call does nothing.
//
// With TLS, and a client that is so slow to read that there is no room to tell it of the end, that is done later.
func (c *Conn) Close() error {
	if s := c.sec.Load(); s != nil && !c.isEnded() {
		c.Unwatch()
		s.finish()
		if !s.close() && !c.abandoned.Load() {
			go c.closeLater(s.wire.unsent)
			return nil
		}
	}
	return c.finish()
}

// finish is the rest of Close.
func (c *Conn) finish() error {
	nc, file, fd := c.end()
	switch {
	case nc != nil:
		return nc.Close()
	case file != nil:
		return file.Close()
	case fd >= 0:
		return errnoOrNil(sysClose(fd))
	}
	return nil
}

func (c *Conn) isEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// end takes c out of the set and out of everybody's reach, and returns what it was made of.
func (c *Conn) end() (net.Conn, *os.File, int) {
	if c.fd < 0 {
		c.unprobe()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil, nil, -1
	}
	c.state.do(actEnd)
	c.ended = true
	c.gone = nil
	c.set.calendar.leave(c)
	c.set.remove(c)
	return c.nc, c.file, c.fd
}
