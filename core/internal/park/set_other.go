//go:build !linux || recycling_nopark

package park

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/recycling-go/recycling/listener"
)

// Supported reports whether connections can be parked at all.
const Supported = false

// A Set stands in for an epoll set: it knows its connections, and none of them parks.
type Set struct {
	calendar calendar
	config   Config

	mu     sync.Mutex         // guards following
	others map[*Conn]struct{} // all of them
}

// NewSet returns an empty Set.
func NewSet(c Config) (*Set, error) { return &Set{config: c, others: map[*Conn]struct{}{}}, nil }

// Close does nothing.
func (s *Set) Close() error { return nil }

// Lead is not for a Set that cannot wait.
func (s *Set) Lead([]*Conn) ([]*Conn, error) { return nil, errors.ErrUnsupported }

// Listen is not for a Set that cannot wait.
func (s *Set) Listen(*listener.Raw, bool, func() *Conn) error { return errors.ErrUnsupported }

// Unlisten has nothing to end.
func (s *Set) Unlisten(*listener.Raw) []*Conn { return nil }

// Add makes c, with its net.Conn, one of the Set's.
func (s *Set) Add(c *Conn, nc net.Conn) {
	c.set, c.nc, c.fd, c.slot = s, nc, -1, -1
	s.mu.Lock()
	s.others[c] = struct{}{}
	s.mu.Unlock()
}

func (s *Set) remove(c *Conn) {
	s.mu.Lock()
	delete(s.others, c)
	s.mu.Unlock()
	s.config.Removed(c)
}

// Each calls f for every connection that is open.
func (s *Set) Each(f func(*Conn)) {
	s.mu.Lock()
	others := make([]*Conn, 0, len(s.others))
	for c := range s.others {
		others = append(others, c)
	}
	s.mu.Unlock()
	for _, c := range others {
		f(c)
	}
}

// TakeIdle returns nil: nothing is parked.
func (s *Set) TakeIdle() *Conn { return nil }

// Idle reports false.
func (s *Set) Idle() bool { return false }

func (s *Set) network() string { return "" }

// Park is never called: see Parks.
func (c *Conn) Park(Class) (bool, error) { panic("BUG: a connection parked that does not") }

// Resume does nothing.
func (c *Conn) Resume() {}

// Began does nothing.
func (c *Conn) Began() {}

// Take reports false: nothing is parked.
func (c *Conn) Take() bool { return false }

// Parked reports false.
func (c *Conn) Parked() bool { return false }

func (c *Conn) register() error { return errors.ErrUnsupported }

// SendFile copies from src to c by what its net.Conn has for that. It reports false, and has done nothing, if
// that has nothing.
func (c *Conn) SendFile(src io.Reader) (n int64, ok bool, err error) {
	rf, ok := c.nc.(io.ReaderFrom)
	if !ok {
		return 0, false, nil
	}
	n, err = rf.ReadFrom(src)
	return n, true, err
}

// NetConn returns c's net.Conn.
func (c *Conn) NetConn() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil, net.ErrClosed
	}
	return c.nc, nil
}

// Detach is NetConn for good: c is at its end, and its connection the caller's alone. early is
// a byte that was read from it already.
func (c *Conn) Detach() (nc net.Conn, early []byte, err error) {
	if nc, err = c.NetConn(); err != nil {
		return nil, nil, err
	}
	early = c.endProbe()
	c.end()
	return nc, early, nc.SetDeadline(time.Time{})
}

// There are no bare descriptors here.
const (
	shutWrite = 1
	shutBoth  = 2
)

func sysRead(int, []byte) (int, syscall.Errno)  { panic("BUG: no descriptors here") }
func sysWrite(int, []byte) (int, syscall.Errno) { panic("BUG: no descriptors here") }
func sysShutdown(int, int) syscall.Errno        { panic("BUG: no descriptors here") }
func sysClose(int) syscall.Errno                { panic("BUG: no descriptors here") }
func localAddr(int) net.Addr                    { panic("BUG: no descriptors here") }
func (c *Conn) hungUpLocked() bool              { return false }
