package listener

import (
	"net"
	"net/netip"
)

// An Addr holds the address of a peer in the system's format. [Raw.Accept] fills it in. It takes
// about 120 bytes and can be reused. The zero value holds no address.
//
// An Addr is a value and may be copied. It is not safe for concurrent use.
type Addr struct {
	sa sockaddr
}

// AddrPort returns the address of a TCP peer, and whether there is one. It returns an IPv4 address
// for an IPv4 peer that was accepted on an IPv6 socket. A link-local address has its interface as
// the zone, as in package net.
func (a *Addr) AddrPort() (netip.AddrPort, bool) {
	ap, ok := a.sa.ip()
	if !ok {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), true
}

// NetAddr returns the same address as the connection's RemoteAddr method would: a [*net.TCPAddr] or
// a [*net.UnixAddr], or nil if a holds no address.
func (a *Addr) NetAddr() net.Addr {
	if ap, ok := a.sa.ip(); ok {
		return net.TCPAddrFromAddrPort(ap)
	}
	if name, ok := a.sa.unix(); ok {
		return &net.UnixAddr{Name: name, Net: "unix"}
	}
	return nil
}

// AppendTo appends the result of [Addr.String] to b, and returns the extended slice.
func (a *Addr) AppendTo(b []byte) []byte {
	if ap, ok := a.AddrPort(); ok {
		return ap.AppendTo(b)
	}
	name, _ := a.sa.unix()
	return append(b, name...)
}

// String returns the address in the format of [net.Addr]: "127.0.0.1:5555", "[::1]:80", the path of
// a Unix socket, or "@" if the socket is unnamed, as that of most clients is. It returns "" if a
// holds no address.
func (a *Addr) String() string {
	return string(a.AppendTo(nil))
}
