package proxyproto

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// v2Fixed is the length of the part that all headers of version 2 have: the signature, version and
// command, family and protocol, and the length of the rest.
const v2Fixed = 16

// Values of the 13th byte, the version and the command.
const (
	v2Local = 0x20 // the proxy has made the connection for itself
	v2Proxy = 0x21
)

// unspecified is the family if the proxy does not know the addresses.
const unspecified = 0x00

// Lengths of the addresses of a family.
const (
	inetLen  = 2*4 + 2*2
	inet6Len = 2*16 + 2*2
	unixLen  = 2 * 108
)

// parseV2 parses a header of version 2, which b begins with: section 2.2 of the specification.
func parseV2(b []byte, max int) (Header, error) {
	if len(b) > 12 && b[12] != v2Local && b[12] != v2Proxy {
		return malformed("version and command are %#02x, want %#02x or %#02x", b[12], v2Local, v2Proxy)
	}
	if len(b) < v2Fixed {
		return Header{}, ErrIncomplete
	}
	length := int(binary.BigEndian.Uint16(b[14:]))
	h := Header{Len: v2Fixed + length}
	if h.Len > max {
		return malformed("it has %d bytes, more than %d", h.Len, max)
	}
	family := b[13]
	addrs, ok := v2AddrsLen(family)
	ignored := b[12] == v2Local || family == unspecified
	switch {
	case ignored:
	case !ok:
		return malformed("family and protocol are %#02x", family)
	case addrs > length:
		return malformed("%d bytes are too few for addresses of family %#02x", length, family)
	}
	if len(b) < h.Len {
		return Header{}, ErrIncomplete
	}
	if ignored { // addresses of unknown length, and the TLVs after them
		return h, nil
	}
	if !v2TLVs(b[:h.Len], v2Fixed+addrs) {
		return malformed("a TLV does not fit, or the checksum is wrong")
	}
	switch a := b[v2Fixed:]; addrs {
	case inetLen:
		h.Source = tcp(netip.AddrFrom4([4]byte(a)), binary.BigEndian.Uint16(a[8:]))
		h.Destination = tcp(netip.AddrFrom4([4]byte(a[4:])), binary.BigEndian.Uint16(a[10:]))
	case inet6Len:
		h.Source = tcp(netip.AddrFrom16([16]byte(a)), binary.BigEndian.Uint16(a[32:]))
		h.Destination = tcp(netip.AddrFrom16([16]byte(a[16:])), binary.BigEndian.Uint16(a[34:]))
	case unixLen:
		h.Source, h.Destination = unix(a[:unixLen/2]), unix(a[unixLen/2:unixLen])
	}
	return h, nil
}

// v2AddrsLen returns the length of the addresses of a family and protocol, and whether there is
// such a combination.
func v2AddrsLen(family byte) (int, bool) {
	switch family {
	case 0x11, 0x12: // IPv4, stream and datagram
		return inetLen, true
	case 0x21, 0x22: // IPv6
		return inet6Len, true
	case 0x31, 0x32: // Unix
		return unixLen, true
	}
	return 0, false
}

// tlvChecksum is the type of a TLV with the CRC-32C of the header, for which its own value is taken
// to be zero.
const tlvChecksum = 0x03

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// v2TLVs reports whether the TLVs from h[at] to the end of the header fit, and whether its checksum
// is right, if there is one. All others are ignored.
func v2TLVs(h []byte, at int) bool {
	checked := false
	for at < len(h) {
		if len(h)-at < 3 {
			return false
		}
		kind, n := h[at], int(binary.BigEndian.Uint16(h[at+1:]))
		if at += 3; n > len(h)-at {
			return false
		}
		if kind == tlvChecksum {
			if checked || n != 4 || v2Checksum(h, at) != binary.BigEndian.Uint32(h[at:]) {
				return false
			}
			checked = true // a second one would cost as much, and could not be right
		}
		at += n
	}
	return true
}

var zeroes [4]byte

// v2Checksum returns the checksum of h, whose own checksum is at h[at:at+4].
func v2Checksum(h []byte, at int) uint32 {
	sum := crc32.Update(0, castagnoli, h[:at])
	sum = crc32.Update(sum, castagnoli, zeroes[:])
	return crc32.Update(sum, castagnoli, h[at+4:])
}

// Missing returns how many bytes are missing from the header at the beginning of b, for which Parse
// has returned [ErrIncomplete]. It returns zero if b does not say that yet.
func Missing(b []byte) int {
	if len(b) < v2Fixed || b[0] != v2Signature[0] {
		return 0
	}
	return v2Fixed + int(binary.BigEndian.Uint16(b[14:])) - len(b)
}
