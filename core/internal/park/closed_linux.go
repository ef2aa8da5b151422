//go:build linux && !recycling_nopark

package park

import (
	"maps"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An application that got the net.Conn from a hook may close it, and nothing informs the epoll set
// or the watcher. So the set checks such connections periodically, less often the more there are.
const (
	askInterval = 50 * time.Millisecond
	askEach     = 10 * time.Microsecond
)

// ask expires the parked connections whose net.Conn was closed, and notifies the watchers of
// others.
func (s *Set) ask() {
	s.mu.Lock()
	others := slices.Collect(maps.Keys(s.others))
	if len(others) == 0 {
		s.asking = nil
	} else {
		s.asking.Reset(askInterval + time.Duration(len(others))*askEach)
	}
	s.mu.Unlock()
	for _, c := range others {
		if c.parks && (c.Parked() || c.watched()) && c.closedByOthers() {
			s.expireStale(c)
		}
	}
}

// expireStale ends c, whose descriptor was closed by other code.
func (s *Set) expireStale(c *Conn) {
	if c.Take() {
		c.Owner.Expire()
		return
	}
	c.clientGone()
}

// closedByOthers reports whether the application has closed the net.Conn that it got.
func (c *Conn) closedByOthers() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ended && c.handle.kind == socket && c.handle.rc.Control(func(uintptr) {}) != nil
}

// holds reports whether c considers fd its own.
func (c *Conn) holds(fd int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	same, err := ask(&c.handle, func(n int) bool { return n == fd })
	return err == nil && same // an error: the net.Conn is closed
}

// resolveReused returns a descriptor for a new connection that was accepted as fd, which was old's
// until other code closed it. If it was not closed through old's net.Conn, old still considers fd
// its own, and will use and close it. In that case resolveReused leaves the number to old, as an
// eventfd that is not a socket, and returns another descriptor for the new connection.
func (s *Set) resolveReused(old *Conn, fd int) (int, error) {
	defer func() { go s.expireStale(old) }()
	if !old.holds(fd) {
		return fd, nil
	}
	dead, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err == nil {
		defer unix.Close(dead)
		var n int
		if n, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			if err = unix.Dup3(dead, fd, unix.O_CLOEXEC); err == nil {
				return n, nil
			}
			unix.Close(n)
		}
	}
	unix.Shutdown(fd, unix.SHUT_RDWR) // old closes it
	return -1, syscall.ECONNABORTED
}
