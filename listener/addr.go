package listener

import (
	"net"
	"net/netip"
)

// An Addr holds the address of a peer as the system wrote it, for [Raw.Accept] to fill in: about
// 120 bytes to be used again and again. The zero value holds no address.
//
// An Addr is a value and may be copied. It must not be used by two goroutines at once.
type Addr struct {
	sa sockaddr
}

// AddrPort returns the address of a TCP peer, and whether there is one. An IPv4 address that was
// accepted on an IPv6 socket is an IPv4 address here. A link-local one has its interface
// for a zone, as in package net.
func (a *Addr) AddrPort() (netip.AddrPort, bool) {
	ap, ok := a.sa.ip()
	if !ok {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), true
}

// NetAddr returns what the RemoteAddr method of the connection would: a [*net.TCPAddr] or
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

// AppendTo appends what [Addr.String] returns to b, and returns the extended slice.
func (a *Addr) AppendTo(b []byte) []byte {
	if ap, ok := a.AddrPort(); ok {
		return ap.AppendTo(b)
	}
	name, _ := a.sa.unix()
	return append(b, name...)
}

// String returns the address in the form of [net.Addr]: "127.0.0.1:5555", "[::1]:80", the path of a
// Unix socket, or "@" if it has none, as most that connect. It is empty if a holds no address.
func (a *Addr) String() string {
	return string(a.AppendTo(nil))
}
