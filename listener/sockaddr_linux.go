package listener

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A sockaddr is filled in by accept4(2). The bytes after the first len are from an earlier address.
type sockaddr struct {
	any unix.RawSockaddrAny
	len uint32 // zero: none
}

// ip returns an IPv4 or IPv6 address; it does not unmap an IPv4-mapped IPv6 address.
func (s *sockaddr) ip() (netip.AddrPort, bool) {
	if s.len == 0 {
		return netip.AddrPort{}, false
	}
	switch s.any.Addr.Family {
	case unix.AF_INET:
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.any))
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), port(&sa.Port)), true
	case unix.AF_INET6:
		sa := (*unix.RawSockaddrInet6)(unsafe.Pointer(&s.any))
		ip := netip.AddrFrom16(sa.Addr)
		if sa.Scope_id != 0 {
			ip = ip.WithZone(zoneName(sa.Scope_id))
		}
		return netip.AddrPortFrom(ip, port(&sa.Port)), true
	}
	return netip.AddrPort{}, false
}

// port reads a port number, which is in network byte order.
func port(p *uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:])
}

// unix returns the name of a Unix socket in the format of package net: up to the first zero byte,
// and with '@' for the zero byte that starts an abstract name. An unnamed socket is "@".
func (s *sockaddr) unix() (string, bool) {
	if s.len == 0 || s.any.Addr.Family != unix.AF_UNIX {
		return "", false
	}
	sa := (*unix.RawSockaddrUnix)(unsafe.Pointer(&s.any))
	path := (*[len(sa.Path)]byte)(unsafe.Pointer(&sa.Path))[:]
	// The kernel counts a terminating zero byte even if there is no room for it.
	path = path[:min(int(s.len)-int(unsafe.Offsetof(sa.Path)), len(path))]
	if len(path) == 0 {
		return "@", true
	}
	if path[0] == 0 {
		name, _, _ := bytes.Cut(path[1:], []byte{0})
		return "@" + string(name), true
	}
	name, _, _ := bytes.Cut(path, []byte{0})
	return string(name), true
}
