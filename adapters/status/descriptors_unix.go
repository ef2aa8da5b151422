//go:build unix

package status

import (
	"errors"
	"math"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxDescriptors returns how many descriptors the process may open, or -1 if that is unknown or
// unlimited.
func maxDescriptors() int64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || uint64(l.Cur) > math.MaxInt32 {
		return -1
	}
	return int64(l.Cur)
}

// outOfDescriptors reports whether err says that the process, or the system, has no descriptor
// left.
func outOfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// pending reports whether a connection waits to be accepted from l, without needing a descriptor.
func pending(l *net.TCPListener) (yes bool) {
	raw, err := l.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		yes = err == nil && n == 1
	})
	return yes && err == nil
}
