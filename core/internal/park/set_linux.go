//go:build linux && !recycling_nopark

package park

import (
	"maps"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/recycling-go/recycling/listener"
	"golang.org/x/sys/unix"
)

// Supported reports whether the system can park connections.
const Supported = true

// A Set holds an epoll set, the connections in it, and their deadlines.
type Set struct {
	config    Config
	deadlines deadlines
	table     table
	gen       atomic.Uint32
	log       asyncLog

	epfd int
	file *os.File        // epfd in Go's poller
	wait syscall.RawConn // of file

	// Used only by the leader; there is one leader at a time.
	events  [128]unix.EpollEvent
	n       int           // number of events; -1 if there was an error
	failure syscall.Errno // that error
	ready   func(uintptr) bool
	peer    listener.Addr

	leaderWait leaderWait

	accepting sync.Mutex // held while connections are being accepted; guards following
	spare     int        // a descriptor in reserve for when there is no other; -1: none

	stallMu    sync.Mutex  // guards following
	stallTimer *time.Timer // armed while there are connections that do not park: see watchWrites
	stallMore  bool        // some were added since the last check

	mu      sync.Mutex         // guards following
	sources []*source          // by the index in their events; nil where closed
	others  map[*Conn]struct{} // connections with a net.Conn
	asking  *time.Timer        // armed while others is not empty: see ask
	net     string             // the network of the first source
}

// NewSet returns an empty Set. Close releases its descriptor.
func NewSet(config Config) (*Set, error) {
	s := &Set{config: config, epfd: -1, spare: -1, others: map[*Conn]struct{}{}}
	if config.Errors == nil {
		s.config.Errors = new(Errors)
	}
	s.deadlines.expire = func(c *Conn) { c.Owner.Expire() }
	for k, d := range config.Timeouts {
		s.deadlines.lists[k].timeout = d
	}
	if !config.Parks {
		return s, nil
	}
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// Nonblocking, so that os.NewFile adds it to the runtime's poller.
	if err := unix.SetNonblock(epfd, true); err != nil {
		unix.Close(epfd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	s.epfd, s.file = epfd, os.NewFile(uintptr(epfd), "epoll")
	s.ready = func(uintptr) bool { return s.poll() != 0 || s.hold() }
	if s.wait, err = s.file.SyscallConn(); err != nil {
		s.file.Close()
		return nil, err
	}
	s.keepSpare()
	return s, nil
}

// Close ends leading: from now on Lead returns an error. It does not touch the connections.
func (s *Set) Close() error {
	s.deadlines.stop()
	s.log.flush()
	if s.file == nil {
		return nil
	}
	s.accepting.Lock()
	s.dropSpare()
	s.accepting.Unlock()
	return s.file.Close()
}

// poll queries the epoll set without blocking. It returns the number of events, or -1.
func (s *Set) poll() int {
	n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(s.epfd), uintptr(unsafe.Pointer(&s.events)), uintptr(len(s.events)), 0, 0, 0)
	return s.polled(int(n), e)
}

// polled records the result of a system call that polls, and returns what poll does.
func (s *Set) polled(n int, e syscall.Errno) int {
	switch e {
	case 0:
		s.n = n
	case syscall.EINTR:
		s.n = 0
	default:
		s.n, s.failure = -1, e
	}
	return s.n
}

// pollPause is how long the leader pauses after epoll_pwait has failed.
const pollPause = 50 * time.Millisecond

// Lead waits until connections can make progress (new ones, and parked ones that have something to
// read), appends them to batch and returns it. There is at least one, and the caller owns them. An
// error is final: the Set was closed.
func (s *Set) Lead(batch []*Conn) ([]*Conn, error) {
	for {
		if err := s.wait.Read(s.ready); err != nil {
			return batch, err
		}
		if s.n < 0 {
			s.config.Errors.Poll.Add(1)
			s.log.printf(s.config.Logf, "http: epoll_pwait", ": %v; retrying in %v", s.failure, pollPause)
			time.Sleep(pollPause)
		}
		s.checkLate()
		for i := range max(s.n, 0) {
			e := &s.events[i]
			if uint32(e.Pad) == sourceGen {
				batch = s.accept(int(e.Fd), batch)
				continue
			}
			c := s.table.get(int(e.Fd))
			if c == nil || c.gen != uint32(e.Pad) {
				continue // the event was for an earlier connection on the same descriptor
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

// Park hands c to the set until there is something to read or the timeout of class k has passed,
// and reports whether it did. If not, the caller still owns c: either there is something to read,
// or err says why c cannot be parked, and is os.ErrDeadlineExceeded if c has timed out.
func (c *Conn) Park(k Class) (parked bool, err error) {
	s := c.set
	earlier := s.deadlines.enter(c, k)
	if c.is(abandonedFlag) {
		return false, net.ErrClosed
	}
	if earlier && s.deadlines.expired(c) {
		return false, os.ErrDeadlineExceeded
	}
	c.drained = false
	if !c.state.do(actPark) {
		c.state.do(actLook)
		return false, nil
	}
	// From here on another goroutine may own c. Registering comes last, since an event may arrive
	// at once.
	if err := s.register(c); err != nil && c.Take() {
		return false, err
	}
	return true, nil
}

// Resume ends a wait of class k, for the first bytes of something, unless c uses TLS: part of a
// record is not part of what it carries. A worker that gets c from the set calls it first.
func (c *Conn) Resume(k Class) {
	if c.class == k && c.sec.Load() == nil {
		c.set.deadlines.leave(c)
	}
}

// Began ends the wait for what c's class waits for: it has arrived.
func (c *Conn) Began() { c.set.deadlines.leave(c) }

// Take takes a parked connection from the set, and reports whether it was parked. The caller then
// owns it.
func (c *Conn) Take() bool { return c.state.do(actTake) }

// TakeLongest takes the connection that has waited longest in any of the classes from the set, or
// returns nil if none waits. If quiet is set, it leaves out connections that have something to
// read. Classes without a timeout do not track their connections.
func (s *Set) TakeLongest(quiet bool, classes ...Class) *Conn {
	return s.deadlines.takeLongest(quiet, classes)
}

// Longest returns how long the connection that TakeLongest would take has waited, and whether there
// is one. It may be about to resume at this moment.
func (s *Set) Longest(quiet bool, classes ...Class) (time.Duration, bool) {
	return s.deadlines.longest(quiet, classes)
}

// Parked reports whether c is parked at the moment.
func (c *Conn) Parked() bool { return state(c.state.v.Load()) == parked }

// epollEvents holds the events a connection is registered for: edge-triggered, for its whole life.
// 1<<31 is EPOLLET, which package unix defines as a negative number.
const epollEvents = unix.EPOLLIN | unix.EPOLLRDHUP | 1<<31

// register adds c to the epoll set. If an event is already due, it arrives at once.
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
		return unix.EpollCtl(s.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: epollEvents, Fd: int32(fd), Pad: int32(c.gen)})
	}
	c.registered.Store(true) // set before the event arrives, whose receiver may park c again
	err, closed := ask(&c.handle, add)
	if closed != nil { // by the application
		c.registered.Store(false)
		return closed
	}
	if err != nil {
		c.registered.Store(false)
		s.config.Errors.Poll.Add(1)
		s.log.printf(s.config.Logf, "http: epoll_ctl", ": connection of %s cannot be waited for: %v", c.remote, err)
	}
	return err
}

// untrack removes c from the epoll set and the table: c's descriptor number is about to be reused.
// The caller holds c.mu.
func (s *Set) untrack(c *Conn) {
	s.mu.Lock()
	s.others[c] = struct{}{} // before c leaves the table, so that Each does not miss it
	if s.asking == nil {
		s.asking = time.AfterFunc(askInterval, s.ask)
	}
	s.mu.Unlock()
	if c.registered.Load() {
		ask(&c.handle, s.drop) // fails if the application closed it; the number may be reused
		c.registered.Store(false)
	}
	if c.slot >= 0 {
		s.table.clear(int(c.slot), c)
		c.slot = -1
	}
}

// drop removes a descriptor from the epoll set.
func (s *Set) drop(fd int) error {
	return unix.EpollCtl(s.epfd, unix.EPOLL_CTL_DEL, fd, &unix.EpollEvent{})
}

// track adds c, which now has a net.Conn, to the table. The caller holds c.mu.
func (s *Set) track(c *Conn) {
	c.handle.rc.Control(func(fd uintptr) {
		c.slot = int32(fd)
		s.table.set(int(fd), c)
	})
}

// remove drops c from the Set's records. Its descriptor is still open.
func (s *Set) remove(c *Conn) {
	if c.slot >= 0 {
		s.table.clear(int(c.slot), c)
	}
	if c.handle.hasNetConn() {
		if c.registered.Load() {
			ask(&c.handle, s.drop) // a duplicate held by the application would keep it in the set
		}
		s.mu.Lock()
		delete(s.others, c)
		s.mu.Unlock()
	}
	c.Owner.Ended()
}

// Add adds c, with a net.Conn that was accepted elsewhere, to the Set.
func (s *Set) Add(c *Conn, nc net.Conn) {
	c.set, c.slot, c.gen = s, -1, s.nextGen()
	c.becomeForeign(nc)
	c.bounds = s.newBounds() // before others see c
	s.mu.Lock()
	s.others[c] = struct{}{}
	s.mu.Unlock()
	s.watchWrites()
}

// nextGen returns the next generation number, skipping sourceGen.
func (s *Set) nextGen() uint32 {
	for {
		if g := s.gen.Add(1); g != sourceGen {
			return g
		}
	}
}

// Each calls f for every open connection. It may miss connections that are accepted meanwhile.
func (s *Set) Each(f func(*Conn)) {
	var all []*Conn
	s.table.each(func(c *Conn) { all = append(all, c) })
	s.mu.Lock()
	others := maps.Clone(s.others) // the registered ones are in the table as well
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
