package listener

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// A socket owns a listening descriptor that is not in the runtime's poller.
type socket struct {
	// mu is held for reading while fd is in use and for writing while it is closed, so that a
	// number is never used after the system has given it to another file. A reference count as in
	// package net would be no better: no use of fd blocks.
	mu  sync.RWMutex
	fd  int          // -1 once closed
	std net.Listener // used by Accept, on a duplicate; nil until the first Accept

	leaving []func(fd int) // called with fd before it is closed

	holding sync.RWMutex // held for reading by hold, and for writing by close; locked before mu

	// shared is set once other code may hold the socket and make it blocking, which is a property
	// of the socket, not of the descriptor.
	shared atomic.Bool
	guards guards // used if shared is set

	sharing sync.Mutex // held while shared is set, or depended on; locked after the others
	drops   bool       // dropNew has attached the filter; guarded by sharing
}

// newSocket moves nl's socket to a descriptor that is not in the runtime's poller, and closes nl,
// whose descriptor is. If there is an error, it leaves nl open.
func newSocket(nl netListener, shared bool) (*socket, error) {
	rc, err := nl.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := new(socket)
	s.shared.Store(shared)
	if err := control(rc, func(fd uintptr) (err error) {
		s.fd, err = dup(int(fd))
		return err
	}); err != nil {
		return nil, err
	}
	if u, ok := nl.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	nl.Close()
	return s, nil
}

// dupFile returns a duplicate of fd. The caller holds s.mu.
func (s *socket) dupFile(name string) (*os.File, error) {
	if s.fd < 0 {
		return nil, net.ErrClosed
	}
	fd, err := dup(s.fd)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// listener returns package net's listener for the socket, which is in the runtime's poller.
func (s *socket) listener() (net.Listener, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return nil, net.ErrClosed
	}
	if s.std != nil {
		return s.std, nil
	}
	f, err := s.dupFile("")
	if err != nil {
		return nil, err
	}
	defer f.Close() // net.FileListener duplicates it once more
	std, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	s.std = std
	return std, nil
}

func (s *socket) file(name string) (*os.File, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.share(s.fd)
	return s.dupFile(name)
}

func (s *socket) syscallConn() (syscall.RawConn, error) {
	if s.control(s.share) != nil {
		s.shared.Store(true)
	}
	return rawConn{s}, nil
}

// share notes that the socket is about to be given away. It removes what dropNew has attached,
// because others may go on to accept when this process has closed its descriptor.
func (s *socket) share(fd int) {
	s.sharing.Lock()
	defer s.sharing.Unlock()
	s.shared.Store(true)
	if s.drops {
		s.drops = false
		acceptNew(fd)
	}
}

// dropNew attaches dropNewFilter, unless the socket is shared.
func (s *socket) dropNew() {
	s.control(func(fd int) {
		s.sharing.Lock()
		defer s.sharing.Unlock()
		if !s.shared.Load() {
			s.drops = true
			dropNew(fd)
		}
	})
}

// close closes every descriptor, so that the kernel closes the socket. It waits for hold to return.
func (s *socket) close() error {
	s.holding.Lock()
	defer s.holding.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.leaving {
		f(s.fd)
	}
	err := os.NewSyscallError("close", unix.Close(s.fd))
	s.fd = -1
	if s.std != nil {
		s.std.Close()
	}
	return err
}

// control runs f with the descriptor, which stays open until f returns.
func (s *socket) control(f func(fd int)) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.fd < 0 {
		return net.ErrClosed
	}
	f(s.fd)
	return nil
}

func (s *socket) hold(f func()) error {
	s.holding.RLock()
	defer s.holding.RUnlock()
	if err := s.control(func(int) {}); err != nil {
		return err
	}
	f()
	return nil
}

func (s *socket) isShared() bool { return s.shared.Load() }

func (s *socket) beforeClose(f func(fd int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = append(s.leaving, f)
}

// accept accepts one connection.
func (s *socket) accept(a *Addr) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.fd < 0 {
		return -1, net.ErrClosed
	}
	if s.shared.Load() {
		return accept4(s.fd, a, &s.guards)
	}
	return accept4(s.fd, a, nil)
}

// A rawConn implements syscall.RawConn for a socket.
type rawConn struct{ *socket }

func (c rawConn) Control(f func(fd uintptr)) error {
	return c.control(func(fd int) { f(uintptr(fd)) })
}

// Read and Write always fail, as in package net.
func (rawConn) Read(func(fd uintptr) bool) error  { return syscall.EINVAL }
func (rawConn) Write(func(fd uintptr) bool) error { return syscall.EINVAL }
