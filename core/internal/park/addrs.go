package park

import (
	"net"
	"net/netip"
)

// This file gives a connection the addresses that a proxy has sent.

// SetAddrs replaces the addresses of c, which is a bare descriptor. The caller must own c.
func (c *Conn) SetAddrs(remote, local net.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handle.hasNetConn() {
		panic("BUG: the net.Conn has other addresses")
	}
	c.remote = remote.String()
	c.local, c.asked = local, true
	c.flags.Or(proxiedFlag)
}

// peerAddr returns the peer's address if there is no net.Conn.
func (c *Conn) peerAddr() net.Addr {
	network := c.set.network()
	if c.is(proxiedFlag) { // whatever the network of the listener is
		network = "tcp"
		if _, err := netip.ParseAddrPort(c.remote); err != nil {
			network = "unix"
		}
	}
	return remoteAddr(network, c.remote)
}
