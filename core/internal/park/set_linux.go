//go:build linux && !recycling_nopark

package park

import (
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/recycling-go/recycling/listener"
	"golang.org/x/sys/unix"
)

// Supported reports whether connections can be parked at all.
const Supported = true

// A Set is an epoll set, the connections it accepted, and their deadlines.
type Set struct {
	config   Config
	calendar calendar
	table    table
	gen      atomic.Uint32

	epfd int
	file *os.File        // epfd in Go's poller
	wait syscall.RawConn // of file

	// The leader's own; one leads at a time.
	events [128]unix.EpollEvent
	n      int // of events
	ready  func(uintptr) bool
	peer   listener.Addr

	accepting sync.Mutex // held while connections are being accepted; guards following
	spare     int        // a descriptor kept for when there are no others; -1: none
	logged    Ration

	mu      sync.Mutex         // guards following
	sources []*source          // by the index that their events carry; nil where closed
	others  map[*Conn]struct{} // connections with a net.Conn
	asking  *time.Timer        // armed while there are others that may be parked: see ask
	net     string             // the network of the first source
}

// NewSet returns a Set that waits for nothing yet. Close it to give its descriptor back.
func NewSet(config Config) (*Set, error) {
	s := &Set{config: config, epfd: -1, spare: -1, others: map[*Conn]struct{}{}}
	s.calendar.expire = config.Expire
	for k, d := range config.Timeouts {
		s.calendar.lists[k].timeout = d
	}
	if !config.Parks {
		return s, nil
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// Non-blocking, so that os.NewFile puts it into the runtime's poller.
	if err := unix.SetNonblock(epfd, true); err != nil {
		unix.Close(epfd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	s.epfd, s.file = epfd, os.NewFile(uintptr(epfd), "epoll")
	s.ready = func(uintptr) bool { return s.poll() != 0 }
	if s.wait, err = s.file.SyscallConn(); err != nil {
		s.file.Close()
		return nil, err
	}
	s.keepSpare()
	return s, nil
}

// Close ends leading: Lead returns an error from now on. Connections are not touched.
func (s *Set) Close() error {
	s.calendar.stop()
	if s.file == nil {
		return nil
	}
	s.accepting.Lock()
	s.dropSpare()
	s.accepting.Unlock()
	return s.file.Close()
}

// poll asks the epoll set without waiting. It returns how many events there are, or -1.
func (s *Set) poll() int {
	n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(s.epfd), uintptr(unsafe.Pointer(&s.events)), uintptr(len(s.events)), 0, 0, 0)
	switch e {
	case 0:
		s.n = int(n)
	case syscall.EINTR:
		s.n = 0
	default:
		s.n = -1
	}
	return s.n
}

// Lead waits until connections can make progress - new ones, and parked ones of which
// there is something to read - and returns them, at least one, appended to batch. They are the
// caller's. The error is final: the Set was closed.
func (s *Set) Lead(batch []*Conn) ([]*Conn, error) {
	for {
		if err := s.wait.Read(s.ready); err != nil {
			return batch, err
		}
		for i := range max(s.n, 0) {
			e := &s.events[i]
			if uint32(e.Pad) == sourceGen {
				batch = s.accept(int(e.Fd), batch)
				continue
			}
			c := s.table.get(int(e.Fd))
			if c == nil || c.gen != uint32(e.Pad) {
				continue // an earlier connection on the same descriptor
			}
			c.notice(e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0)
			if c.state.do(actEvent) {
				batch = append(batch, c)
			}
		}
		if len(batch) > 0 {
			return batch, nil
		}
	}
}

// Park leaves c to the set until there is something to read or class k's timeout is over, and
// reports whether it did. If not, c is still the caller's, and there is something to read,
// or its time is up: then err is os.ErrDeadlineExceeded.
func (c *Conn) Park(k Class) (parked bool, err error) {
	s := c.set
	s.calendar.enter(c, k)
	if c.abandoned.Load() {
		return false, net.ErrClosed
	}
	if s.calendar.expired(c) {
		return false, os.ErrDeadlineExceeded
	}
	c.drained = false
	if !c.state.do(actPark) {
		c.state.do(actLook)
		return false, nil
	}
	// From here on c may be another's. Registering comes last, since the event may come at once.
	if err := s.register(c); err != nil && c.Take() {
		return false, err
	}
	return true, nil
}

// Resume ends a wait of class Idle. Who got c from the set calls it first. With TLS that wait goes on until there is
// a part of a request, which a part of a record is not.
func (c *Conn) Resume() {
	if c.class == Idle && c.sec.Load() == nil {
		c.set.calendar.leave(c)
	}
}

// Began says that what class Header waited for is there.
func (c *Conn) Began() { c.set.calendar.leave(c) }

// Take takes a parked connection out of the set's hands, and reports whether it was parked.
func (c *Conn) Take() bool { return c.state.do(actTake) }

// TakeIdle takes the connection that has waited in class Idle for the longest time out of the set's hands; nil if none waits.
// Without a timeout of that class, that is not known.
func (s *Set) TakeIdle() *Conn { return s.calendar.takeFirst(Idle) }

// Idle reports whether there is one. At this moment it may be about to go on.
func (s *Set) Idle() bool { return s.calendar.any(Idle) }

// Parked reports whether c is parked at the moment.
func (c *Conn) Parked() bool { return state(c.state.v.Load()) == parked }

// interest is what a connection is registered for: edge-triggered, for its whole life.
const interest = unix.EPOLLIN | unix.EPOLLRDHUP | 1<<31 // EPOLLET, which package unix has as a negative number

// register puts c into the epoll set. An event that is due comes at once.
func (c *Conn) register() error { return c.set.register(c) }

func (s *Set) register(c *Conn) error {
	if c.registered.Load() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return net.ErrClosed
	case c.registered.Load():
		return nil
	}
	add := func(fd int) error {
		if c.rc != nil {
			s.table.set(fd, c)
			c.slot = int32(fd)
		}
		return unix.EpollCtl(s.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: interest, Fd: int32(fd), Pad: int32(c.gen)})
	}
	c.registered.Store(true) // before the event, whose receiver may park it again
	var err error
	if c.rc == nil {
		err = add(c.fd)
	} else if cerr := c.rc.Control(func(fd uintptr) { err = add(int(fd)) }); cerr != nil {
		err = cerr
	}
	if err != nil {
		c.registered.Store(false)
	}
	return err
}

// forget takes c out of the epoll set and the table, with c.mu held: its descriptor is about to become another's.
func (s *Set) forget(c *Conn) {
	s.mu.Lock()
	s.others[c] = struct{}{} // before it leaves the table, so that Each does not miss it
	if s.asking == nil {
		s.asking = time.AfterFunc(askInterval, s.ask)
	}
	s.mu.Unlock()
	if c.registered.Load() {
		del := func(fd uintptr) { unix.EpollCtl(s.epfd, unix.EPOLL_CTL_DEL, int(fd), &unix.EpollEvent{}) }
		if c.rc == nil {
			del(uintptr(c.fd))
		} else {
			c.rc.Control(del) // if the application has closed it, the number may be another's by now
		}
		c.registered.Store(false)
	}
	if c.slot >= 0 {
		s.table.clear(int(c.slot), c)
		c.slot = -1
	}
}

// An application that was given the net.Conn by a hook may close it, and nothing tells whoever
// waits for it in the epoll set. So such connections are asked now and then, the more of them
// the less often.
const (
	askInterval = 50 * time.Millisecond
	askEach     = 10 * time.Microsecond
)

// ask ends the parked connections whose net.Conn was closed.
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
		if c.Parked() && c.rc.Control(func(uintptr) {}) != nil && c.Take() {
			s.config.Expire(c)
		}
	}
}

// remove strikes c off. Its descriptor is not closed yet.
func (s *Set) remove(c *Conn) {
	if c.slot >= 0 {
		s.table.clear(int(c.slot), c)
	}
	if c.fd < 0 {
		s.mu.Lock()
		delete(s.others, c)
		s.mu.Unlock()
	}
	s.config.Removed(c)
}

// Add makes c, a net.Conn that came from elsewhere, one of the Set's.
func (s *Set) Add(c *Conn, nc net.Conn) {
	c.set, c.nc, c.fd, c.slot, c.gen = s, nc, -1, -1, s.nextGen()
	s.mu.Lock()
	s.others[c] = struct{}{}
	s.mu.Unlock()
}

// nextGen never returns sourceGen.
func (s *Set) nextGen() uint32 {
	for {
		if g := s.gen.Add(1); g != sourceGen {
			return g
		}
	}
}

// Each calls f for every connection that is open. One that comes meanwhile may be missed.
func (s *Set) Each(f func(*Conn)) {
	var all []*Conn
	s.table.each(func(c *Conn) { all = append(all, c) })
	s.mu.Lock()
	others := maps.Clone(s.others) // those that are registered are in the table as well
	s.mu.Unlock()
	for _, c := range all {
		if _, twice := others[c]; !twice {
			f(c)
		}
	}
	for c := range others {
		f(c)
	}
}

func (s *Set) network() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.net
}
