//go:build unix

package listener

import (
	"errors"
	"math"
	"os"
	"syscall"
)

// setBacklog calls listen(2) again, which replaces the backlog.
func (c *Config) setBacklog(fd uintptr) error {
	return os.NewSyscallError("listen", syscall.Listen(int(fd), min(c.Backlog, math.MaxInt32)))
}

// checkListening returns an error unless fd is a listening stream socket.
func checkListening(fd uintptr) error {
	typ, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TYPE)
	if err != nil {
		return os.NewSyscallError("getsockopt SO_TYPE", err)
	}
	if typ != syscall.SOCK_STREAM {
		return errors.New("not a stream socket")
	}
	listening, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	if err != nil {
		return os.NewSyscallError("getsockopt SO_ACCEPTCONN", err)
	}
	if listening == 0 {
		return errors.New("not a listening socket")
	}
	return nil
}
