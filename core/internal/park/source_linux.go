//go:build linux && !recycling_nopark

package park

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/recycling-go/recycling/listener"
	"golang.org/x/sys/unix"
)

// sourceGen marks the events of listening sockets.
const sourceGen = 1<<32 - 1

// acceptBatch is the maximum number of connections accepted before any of them is served.
const acceptBatch = 64

// A source is a listening socket that the set accepts from. It is registered in an epoll set of its
// own, which in turn is in the Set's: that one can be removed at any time. A socket that was closed
// while a duplicate is open elsewhere would stay in the epoll set forever, and report connections
// to the other process.
type source struct {
	raw    *listener.Raw
	new    func(peer *listener.Addr) *Conn
	failed func(error)
	linger bool // the socket has SO_LINGER, which connections inherit
	index  int
	events uint32        // the events the socket is registered for
	pause  time.Duration // after the last error; zero if there was none. Used only by the leader

	// Guarded by Set.mu.
	epfd int  // -1 if there is none
	left bool // removed for good
}

// Listen makes the leader accept from raw. newConn returns the Conn for each new connection. shared
// says that other Sets accept from raw too: then the kernel wakes only one of them. The leader
// calls failed with an error after which nothing more can be accepted, unless the reason is that
// raw was closed.
func (s *Set) Listen(raw *listener.Raw, shared bool, newConn func(peer *listener.Addr) *Conn, failed func(error)) error {
	src := &source{raw: raw, new: newConn, failed: failed, events: unix.EPOLLIN, epfd: -1}
	if shared {
		src.events |= unix.EPOLLEXCLUSIVE
	}
	raw.Control(func(fd int) { src.linger = lingers(fd) })
	s.mu.Lock()
	src.index = len(s.sources)
	s.sources = append(s.sources, src)
	if s.net == "" {
		s.net = raw.Network()
	}
	s.mu.Unlock()
	raw.BeforeClose(func(int) { s.leave(src) })
	return s.watch(src)
}

// watch adds src to the set.
func (s *Set) watch(src *source) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if src.left {
		return net.ErrClosed
	}
	if src.epfd < 0 {
		if err := src.open(); err != nil {
			return err
		}
	}
	gen := uint32(sourceGen)
	err := unix.EpollCtl(s.epfd, unix.EPOLL_CTL_ADD, src.epfd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(src.index), Pad: int32(gen)})
	if err == unix.EEXIST {
		return nil
	}
	return os.NewSyscallError("epoll_ctl", err)
}

// open creates src's epoll set.
func (src *source) open() error {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	cerr := src.raw.Control(func(fd int) {
		err = os.NewSyscallError("epoll_ctl", unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: src.events, Fd: int32(fd)}))
	})
	if err = errors.Join(cerr, err); err != nil {
		unix.Close(epfd)
		return err
	}
	src.epfd = epfd
	return nil
}

// unwatch removes src from the set for a while.
func (s *Set) unwatch(src *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if src.epfd < 0 {
		return
	}
	if err := unix.EpollCtl(s.epfd, unix.EPOLL_CTL_DEL, src.epfd, &unix.EpollEvent{}); err != nil && err != unix.ENOENT {
		src.closeLocked()
	}
}

// leave removes src from the set for good.
func (s *Set) leave(src *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	src.left = true
	src.closeLocked()
}

func (src *source) closeLocked() {
	if src.epfd >= 0 {
		unix.Close(src.epfd)
		src.epfd = -1
	}
}

// Unlisten stops accepting from raw, and returns the connections that were waiting to be accepted.
func (s *Set) Unlisten(raw *listener.Raw) (rest []*Conn) {
	s.mu.Lock()
	var src *source
	for i, x := range s.sources {
		if x != nil && x.raw == raw {
			src = x
			s.sources[i] = nil
		}
	}
	s.mu.Unlock()
	if src == nil {
		return nil
	}
	s.accepting.Lock() // let an accept in progress finish first
	defer s.accepting.Unlock()
	s.leave(src)
	var peer listener.Addr
	for {
		c, err := s.acceptOne(src, &peer)
		if err != nil {
			return rest
		}
		rest = append(rest, c)
	}
}

// accept accepts the pending connections of a listening socket and returns them without registering
// them, since with TCP_DEFER_ACCEPT the request is already there.
func (s *Set) accept(index int, batch []*Conn) []*Conn {
	s.accepting.Lock()
	defer s.accepting.Unlock()
	s.mu.Lock()
	src := s.sources[index]
	s.mu.Unlock()
	if src == nil {
		return batch
	}
	refused := 0
	for range acceptBatch {
		if s.config.Full != nil && s.config.Full() {
			if len(batch) == 0 { // otherwise serve those first: there may be room then
				s.pauseAcceptFor(src, FullPause)
			}
			return batch
		}
		c, err := s.acceptOne(src, &s.peer)
		switch {
		case err == nil:
			src.pause = 0
			if s.spare < 0 {
				s.keepSpare()
			}
			if c.Owner.Admit() {
				batch = append(batch, c)
			}
		case err == syscall.EAGAIN:
			return batch
		case err == syscall.ECONNABORTED, err == syscall.EPROTO, err == syscall.EPERM:
			// That connection was reset before it was accepted, or a firewall rejected it. But a
			// system call filter may reject every accept.
			s.config.Errors.Accept.Add(1)
			if refused++; refused == acceptBatch {
				s.pauseAccept(src, err)
			}
		case outOfDescriptors(err) && s.config.FreeDescriptor != nil && s.config.FreeDescriptor():
		case errors.Is(err, net.ErrClosed):
			s.leave(src) // whoever closed it does the rest
			return batch
		case final(err):
			s.config.Errors.Accept.Add(1)
			s.leave(src)
			src.failed(os.NewSyscallError("accept4", err))
			return batch
		default:
			if outOfDescriptors(err) {
				s.refuse(src)
			}
			s.config.Errors.Accept.Add(1)
			s.pauseAccept(src, err)
			return batch
		}
	}
	return batch
}

// final reports whether nothing can be accepted after err: the descriptor no longer listens, as
// after shutdown(2), or is not a socket.
func final(err error) bool {
	switch err {
	case syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK, syscall.EOPNOTSUPP, syscall.EFAULT:
		return true
	}
	return false
}

func outOfDescriptors(err error) bool { return err == syscall.EMFILE || err == syscall.ENFILE }

func (s *Set) acceptOne(src *source, peer *listener.Addr) (*Conn, error) {
	fd, err := src.raw.Accept(peer)
	if err != nil {
		return nil, err
	}
	if old := s.table.get(fd); old != nil {
		if fd, err = s.resolveReused(old, fd); err != nil {
			return nil, err
		}
	}
	c := src.new(peer)
	c.parks, c.linger = true, src.linger || src.raw.Shared()
	c.set, c.slot, c.gen, c.remote, c.local = s, int32(fd), s.nextGen(), peer.String(), src.raw.Addr()
	c.becomeDescriptor(fd)
	s.table.set(fd, c)
	return c, nil
}

// pauseAccept pauses accepting: the process is out of descriptors or memory, and the listening
// socket would keep reporting readiness.
func (s *Set) pauseAccept(src *source, err error) {
	src.pause = NextPause(src.pause)
	s.log.printf(s.config.Logf, "http: Accept error", ": %v; retrying in %v", err, src.pause)
	s.pauseAcceptFor(src, src.pause)
}

func (s *Set) pauseAcceptFor(src *source, pause time.Duration) {
	s.unwatch(src)
	time.AfterFunc(pause, func() { s.rewatch(src) })
}

// rewatchPause is how long to keep pausing when the system does not let src into the set.
const rewatchPause = 50 * time.Millisecond

// rewatch ends a pause.
func (s *Set) rewatch(src *source) {
	err := s.watch(src)
	if err == nil || errors.Is(err, net.ErrClosed) {
		return
	}
	s.config.Errors.Poll.Add(1)
	s.log.printf(s.config.Logf, "http: Accept error", ": %v; retrying in %v", err, rewatchPause)
	time.AfterFunc(rewatchPause, func() { s.rewatch(src) })
}

// refuse responds to the connections that are pending when there are no descriptors left, one after
// the other on the spare one, so that they do not wait in vain. For later ones accepting is paused.
func (s *Set) refuse(src *source) {
	for range acceptBatch {
		if s.spare < 0 {
			return
		}
		s.dropSpare()
		c, err := s.acceptOne(src, &s.peer)
		if err == nil {
			c.Owner.Refuse()
		}
		s.keepSpare()
		if err != nil {
			return
		}
	}
}

// keepSpare opens the spare descriptor, if the system has one left.
func (s *Set) keepSpare() {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		fd = -1
	}
	s.spare = fd
}

func (s *Set) dropSpare() {
	if s.spare >= 0 {
		unix.Close(s.spare)
		s.spare = -1
	}
}
