//go:build !recycling_nopark

package park

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// CanStay reports whether Stay can wait for c.
func (c *Conn) CanStay() bool { return c.parks && c.bare() && c.sec.Load() == nil }

// Stay reads, as TryRead does, but if there is nothing to read it waits in Go's own poller until
// there is, or until the read deadline passes. It returns 0, nil if it did not read: only TryRead
// tells why. c leaves the epoll set until it is parked again, so that its events wake nobody else.
func (c *Conn) Stay(b []byte) int {
	if c.registered.Load() {
		c.unregister()
	}
	w, err := c.waiter()
	if err != nil {
		return 0
	}
	t := beginTransfer(b)
	n, errno, err := t.end(w.rc.Read(t.read))
	c.drained = err == nil && errno == 0 && n > 0 && n < len(b)
	if err != nil || errno != 0 {
		return 0
	}
	return n
}

// unregister undoes register.
func (c *Conn) unregister() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || !c.bare() || !c.registered.Load() {
		return
	}
	err := unix.EpollCtl(c.set.epfd, unix.EPOLL_CTL_DEL, int(c.handle.fd), &unix.EpollEvent{})
	if err == nil || err == syscall.ENOENT {
		c.registered.Store(false)
	}
}
