package recycling_test

import (
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// openSockets returns the number of connections to addr that this process has accepted and not
// closed.
func openSockets(addr net.Addr) (n int) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		if err != nil || listening != 0 {
			continue
		}
		if sa, err := unix.Getsockname(fd); err == nil && port(sa) == addr.(*net.TCPAddr).Port {
			n++
		}
	}
	return n
}

func port(sa unix.Sockaddr) int {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return sa.Port
	case *unix.SockaddrInet6:
		return sa.Port
	}
	return 0
}
