//go:build !linux || recycling_nopark

package park

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/recycling-go/recycling/listener"
)

// CanStay reports whether Stay can wait for c.
func (c *Conn) CanStay() bool { return false }

// Stay is not called.
func (c *Conn) Stay([]byte) int { return 0 }

// Supported reports whether the system can park connections.
const Supported = false

// A Set takes the place of an epoll set: it keeps track of its connections, none of which can park.
type Set struct {
	deadlines deadlines
	config    Config

	stallMu    sync.Mutex  // guards following
	stallTimer *time.Timer // armed while there are connections: see watchWrites
	stallMore  bool        // some were added since the last check

	mu     sync.Mutex         // guards following
	others map[*Conn]struct{} // all of them
}

// NewSet returns an empty Set.
func NewSet(c Config) (*Set, error) { return &Set{config: c, others: map[*Conn]struct{}{}}, nil }

// Close does nothing.
func (s *Set) Close() error { return nil }

// Lead returns [errors.ErrUnsupported]: this Set cannot wait.
func (s *Set) Lead([]*Conn) ([]*Conn, error) { return nil, errors.ErrUnsupported }

// Listen returns [errors.ErrUnsupported]: this Set cannot wait.
func (s *Set) Listen(*listener.Raw, bool, func(*listener.Addr) *Conn, func(error)) error {
	return errors.ErrUnsupported
}

// Unlisten returns nil: nothing is accepted from raw.
func (s *Set) Unlisten(*listener.Raw) []*Conn { return nil }

// Add adds c, with its net.Conn, to the Set.
func (s *Set) Add(c *Conn, nc net.Conn) {
	c.set, c.slot = s, -1
	c.becomeForeign(nc)
	c.bounds = s.newBounds() // before others see c
	s.mu.Lock()
	s.others[c] = struct{}{}
	s.mu.Unlock()
	s.watchWrites()
}

func (s *Set) remove(c *Conn) {
	s.mu.Lock()
	delete(s.others, c)
	s.mu.Unlock()
	c.Owner.Ended()
}

// Each calls f for every open connection.
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

// TakeLongest returns nil: nothing is parked.
func (s *Set) TakeLongest(bool, ...Class) *Conn { return nil }

// Longest reports false.
func (s *Set) Longest(bool, ...Class) (time.Duration, bool) { return 0, false }

func (s *Set) network() string { return "" }

// Park is never called: see Parks.
func (c *Conn) Park(Class) (bool, error) { panic("BUG: connections do not park here") }

// Resume does nothing.
func (c *Conn) Resume(Class) {}

// Began does nothing.
func (c *Conn) Began() {}

// Take reports false: nothing is parked.
func (c *Conn) Take() bool { return false }

// Parked reports false.
func (c *Conn) Parked() bool { return false }

func (c *Conn) register() error { return errors.ErrUnsupported }

// SendFile returns [errors.ErrUnsupported]: there are no sockets of this package here.
func (c *Conn) SendFile(uintptr, int64) (int64, error) { return 0, errors.ErrUnsupported }

// Unread returns zero: the number is not known.
func (c *Conn) Unread() int { return 0 }

// NetConn returns c's net.Conn.
func (c *Conn) NetConn() (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil, net.ErrClosed
	}
	return c.handle.nc, nil
}

// Detach is like NetConn, but ends c: the caller alone owns its connection. early holds a byte that
// was already read from it.
func (c *Conn) Detach() (nc net.Conn, early []byte, err error) {
	if nc, err = c.NetConn(); err != nil {
		return nil, nil, err
	}
	early = c.endProbe()
	c.end()
	return nc, early, nc.SetDeadline(time.Time{})
}

func (s *Set) untrack(*Conn) {}

func (c *Conn) poll() (in, out bool) { return true, true }

func (c *Conn) lingers() bool { return false }

// netConn is NetConn, since there is no other kind of connection here.
func (c *Conn) netConn() (net.Conn, error) { return c.NetConn() }

// FileConn is [net.FileConn].
func FileConn(f *os.File) (net.Conn, error) { return net.FileConn(f) }

// There are no bare descriptors here.
const (
	shutWrite = 1
	shutBoth  = 2
)

func sysRead(int, []byte) (int, syscall.Errno)           { panic("BUG: no descriptors here") }
func sysPeek(int, []byte) (int, syscall.Errno)           { panic("BUG: no descriptors here") }
func sysWrite(int, []byte) (int, syscall.Errno)          { panic("BUG: no descriptors here") }
func sysWriteMore(int, []byte) (int, syscall.Errno)      { panic("BUG: no descriptors here") }
func sysWrite2(int, []byte, []byte) (int, syscall.Errno) { panic("BUG: no descriptors here") }
func sysShutdown(int, int) syscall.Errno                 { panic("BUG: no descriptors here") }
func sysClose(int) syscall.Errno                         { panic("BUG: no descriptors here") }
func sysCloseSlowly(int)                                 { panic("BUG: no descriptors here") }
func localAddr(int) net.Addr                             { panic("BUG: no descriptors here") }
func (c *Conn) hungUpLocked() bool                       { return false }

func (c *Conn) quiet() bool { return true }
