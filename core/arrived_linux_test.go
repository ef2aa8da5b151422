package recycling_test

import (
	"net"

	"golang.org/x/sys/unix"
)

// arrived waits until the kernel has delivered to the server all that c has sent. On a busy machine
// that takes a while even on the loopback interface: until then a server that closes its listener
// resets the connection, which it has never seen.
func (c *client) arrived() {
	c.t.Helper()
	rc, err := c.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		c.t.Fatal(err)
	}
	left := 0
	gone := func() bool {
		if cerr := rc.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); cerr != nil {
			err = cerr
		}
		return err != nil || left == 0
	}
	if !holds(gone) || err != nil {
		c.t.Fatalf("%d bytes have not arrived: %v", left, err)
	}
}
