//go:build unix

package listener

import (
	"errors"
	"math"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
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

// fileListener is like [net.FileListener] but keeps the socket nonblocking. net.FileListener calls
// f's Fd method, which makes the socket blocking for a moment if package net created f: for other
// processes too, whose calls of accept4 may block then.
func fileListener(f *os.File) (net.Listener, error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var own *os.File
	if err := control(rc, func(fd uintptr) error {
		if err := checkListening(fd); err != nil {
			return err
		}
		n, err := dup(int(fd))
		if err != nil {
			return err
		}
		unix.SetNonblock(n, true) // before NewFile: otherwise Fd makes it blocking again
		own = os.NewFile(uintptr(n), f.Name())
		return nil
	}); err != nil {
		return nil, err
	}
	defer own.Close()
	return net.FileListener(own)
}

func dup(fd int) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return n, os.NewSyscallError("fcntl", err)
}
