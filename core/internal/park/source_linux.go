//go:build linux && !recycling_nopark

package park

import (
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/recycling-go/recycling/listener"
	"golang.org/x/sys/unix"
)

// sourceGen marks the events of listening sockets.
const sourceGen = 1<<32 - 1

// acceptBatch is how many connections are accepted before somebody gets to serve one.
const acceptBatch = 64

// A source is a listening socket that the set accepts from.
type source struct {
	raw    *listener.Raw
	new    func() *Conn
	index  int
	events uint32        // what it is registered for
	pause  time.Duration // after the last error; zero if there was none. The leader's own
}

// Listen makes the leader accept from raw. Every connection is put into what newConn returns. shared
// says that other Sets do so too: then the kernel wakes only one of them.
func (s *Set) Listen(raw *listener.Raw, shared bool, newConn func() *Conn) error {
	src := &source{raw: raw, new: newConn, events: unix.EPOLLIN}
	if shared {
		src.events |= unix.EPOLLEXCLUSIVE
	}
	s.mu.Lock()
	src.index = len(s.sources)
	s.sources = append(s.sources, src)
	if s.net == "" {
		s.net = raw.Network()
	}
	s.mu.Unlock()
	raw.BeforeClose(s.leave) // a duplicate in another process would keep it in the set
	return s.watch(src)
}

// leave takes a listening socket out of the set.
func (s *Set) leave(fd int) {
	unix.EpollCtl(s.epfd, unix.EPOLL_CTL_DEL, fd, &unix.EpollEvent{})
}

func (s *Set) watch(src *source) error {
	var err error
	cerr := src.raw.Control(func(fd int) {
		gen := uint32(sourceGen)
		err = unix.EpollCtl(s.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: src.events, Fd: int32(src.index), Pad: int32(gen)})
	})
	return errors.Join(cerr, err)
}

func (s *Set) unwatch(src *source) {
	src.raw.Control(s.leave)
}

// Unlisten ends accepting from raw, and returns the connections that were waiting to be accepted.
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
	s.accepting.Lock() // whoever accepts at this moment goes first
	defer s.accepting.Unlock()
	s.unwatch(src)
	var peer listener.Addr
	for {
		c, err := s.acceptOne(src, &peer)
		if err != nil {
			return rest
		}
		rest = append(rest, c)
	}
}

// accept takes what a listening socket has, unregistered: with TCP_DEFER_ACCEPT the request is already there.
func (s *Set) accept(index int, batch []*Conn) []*Conn {
	s.accepting.Lock()
	defer s.accepting.Unlock()
	s.mu.Lock()
	src := s.sources[index]
	s.mu.Unlock()
	if src == nil {
		return batch
	}
	for range acceptBatch {
		if s.config.Full != nil && s.config.Full() {
			s.restFor(src, FullPause)
			return batch
		}
		c, err := s.acceptOne(src, &s.peer)
		switch {
		case err == nil:
			src.pause = 0
			if s.spare < 0 {
				s.keepSpare()
			}
			if s.config.Enter == nil || s.config.Enter(c) {
				batch = append(batch, c)
			}
		case err == syscall.EAGAIN:
			return batch
		case err == syscall.ECONNABORTED, err == syscall.EPROTO, err == syscall.EPERM:
			// That connection was reset before it was accepted, or a firewall refused it.
		case errors.Is(err, net.ErrClosed), err == syscall.EBADF, err == syscall.EINVAL:
			return batch // whoever closed it sees to the rest
		default:
			if err == syscall.EMFILE || err == syscall.ENFILE {
				s.refuse(src)
			}
			s.rest(src, err)
			return batch
		}
	}
	return batch
}

func (s *Set) acceptOne(src *source, peer *listener.Addr) (*Conn, error) {
	fd, err := src.raw.Accept(peer)
	if err != nil {
		return nil, err
	}
	if old := s.table.get(fd); old != nil && old.Take() {
		s.config.Expire(old) // somebody has closed its net.Conn
	}
	c := src.new()
	c.set, c.fd, c.slot, c.gen, c.remote, c.local = s, fd, int32(fd), s.nextGen(), peer.String(), src.raw.Addr()
	s.table.set(fd, c)
	return c, nil
}

// rest stops accepting for a while: there are no descriptors or no memory, and the listening socket would
// report itself again and again.
func (s *Set) rest(src *source, err error) {
	src.pause = NextPause(src.pause)
	if s.logged.Take() {
		s.config.Logf("http: Accept error: %v; retrying in %v", err, src.pause)
	}
	s.restFor(src, src.pause)
}

func (s *Set) restFor(src *source, pause time.Duration) {
	s.unwatch(src)
	time.AfterFunc(pause, func() {
		s.mu.Lock() // until it is watched, so that Unlisten finds it so
		defer s.mu.Unlock()
		if s.sources[src.index] == src {
			s.watch(src)
		}
	})
}

// refuse answers those who wait when there are no descriptors, one after the other on the spare one: they need not
// wait for nothing. Those who come later find accepting at rest.
func (s *Set) refuse(src *source) {
	for range acceptBatch {
		if s.spare < 0 {
			return
		}
		s.dropSpare()
		c, err := s.acceptOne(src, &s.peer)
		if err == nil {
			s.config.Refuse(c)
		}
		s.keepSpare()
		if err != nil {
			return
		}
	}
}

// keepSpare opens the spare descriptor, if there is one to be had.
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
