package listener

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setOptions sets the options of a TCP listening socket; a Unix socket has none of them.
func (c *Config) setOptions(rc syscall.RawConn, tcp bool) error {
	if !tcp {
		return nil
	}
	return control(rc, func(fd uintptr) error {
		if err := setInherited(int(fd), c.keepAlive()); err != nil {
			return err
		}
		return setsockopts(int(fd), []sockopt{
			{"TCP_DEFER_ACCEPT", unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, max(seconds(c.deferAccept()), 0)},
		})
	})
}

// setInherited sets the options that accepted connections inherit from the listening socket.
func setInherited(fd int, keepAlive time.Duration) error {
	if keepAlive < 0 {
		return setsockopts(fd, []sockopt{
			{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
			{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0},
		})
	}
	return setsockopts(fd, []sockopt{
		{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds(keepAlive)},
		{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds(keepAlive)},
		{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveCount},
	})
}

type sockopt struct {
	name              string
	level, opt, value int
}

// setsockopts stops at the first option that the system rejects, and names it in the error.
func setsockopts(fd int, opts []sockopt) error {
	for _, o := range opts {
		if err := unix.SetsockoptInt(fd, o.level, o.opt, o.value); err != nil {
			return os.NewSyscallError("setsockopt "+o.name, err)
		}
	}
	return nil
}
