package status

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// replace closes c, and makes its descriptor one of f, in one step: see dup(2). C must be closed
// later to free the descriptor. It reports whether that has succeeded; otherwise nothing has
// changed.
func replace(c *net.TCPConn, f *os.File) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var dupErr error
	err = raw.Control(func(fd uintptr) {
		dupErr = unix.Dup3(int(f.Fd()), int(fd), unix.O_CLOEXEC)
	})
	return err == nil && dupErr == nil
}
