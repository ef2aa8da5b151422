//go:build linux && !recycling_nopark

package park

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// sendChunk is the most that one sendfile call copies, so that it returns to the scheduler now and
// then.
const sendChunk = 4 << 20

// SendFile has the kernel copy up to max bytes from the file with descriptor from, at the file's
// own offset, to c, which must be a socket of this package without TLS. It waits for buffer space,
// and may copy less than max; no bytes and no error mean the end of the file. It returns
// errors.ErrUnsupported, and copies nothing, if sendfile does not support that file. The caller
// must keep c from being given away meanwhile.
func (c *Conn) SendFile(from uintptr, max int64) (int64, error) {
	var n int
	var errno error
	send := func(fd uintptr) {
		for {
			n, errno = unix.Sendfile(int(fd), int(from), nil, int(min(max, sendChunk)))
			if errno != syscall.EINTR {
				return
			}
		}
	}
	if past(&c.writeBy) {
		errno = os.ErrDeadlineExceeded
	} else if err := c.control(send); err != nil {
		errno = err
	}
	if errno == syscall.EAGAIN {
		errno = c.waitToSend(send, &errno)
	}
	switch errno {
	case nil:
		return int64(n), nil
	case syscall.EINVAL, syscall.ENOSYS, syscall.EOPNOTSUPP:
		return 0, errors.ErrUnsupported
	}
	if e, ok := errno.(syscall.Errno); ok {
		errno = os.NewSyscallError("sendfile", e)
	}
	return 0, errno
}

// waitToSend calls send whenever there is buffer space, until errno is no longer EAGAIN.
func (c *Conn) waitToSend(send func(uintptr), errno *error) error {
	w, err := c.waiter()
	if err != nil {
		return err
	}
	if d := c.set.config.WriteStall; d > 0 {
		c.boundWrite(w, after(nanos(), d))
		defer c.boundWrite(w, 0)
	}
	err = w.rc.Write(func(fd uintptr) bool {
		send(fd)
		return *errno != syscall.EAGAIN
	})
	if err != nil {
		return err
	}
	return *errno
}
