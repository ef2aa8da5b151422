package proxyproto

import (
	"bytes"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// v1Max is the maximum length of a header of version 1, including CRLF.
const v1Max = 107

// parseV1 parses a header of version 1, which b begins with: section 2.1 of the specification.
//
//	PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 CR LF
func parseV1(b []byte, _ int) (Header, error) {
	end := bytes.IndexByte(b[:min(len(b), v1Max)], '\n')
	switch {
	case end < 0 && len(b) >= v1Max:
		return malformed("no line end in %d bytes", v1Max)
	case end < 0:
		return Header{}, ErrIncomplete
	case b[end-1] != '\r':
		return malformed("%q does not end in CRLF", b[:end+1])
	}
	h := Header{Len: end + 1}
	line := string(b[:end-1])
	if strings.Contains(line, "\r") {
		return malformed("%q has a CR in it", line)
	}
	fields := strings.Split(line, " ")
	switch fields[1] { // exists, since the signature ends in a space
	case "UNKNOWN":
		return h, nil // the rest of the line has to be ignored
	case "TCP4", "TCP6":
	default:
		return malformed("the protocol of %q is not TCP4, TCP6 or UNKNOWN", line)
	}
	if len(fields) != 6 {
		return malformed("%q has %d fields, want 6", line, len(fields))
	}
	source, err1 := v1Addr(fields[1], fields[2])
	destination, err2 := v1Addr(fields[1], fields[3])
	from, err3 := v1Port(fields[4])
	to, err4 := v1Port(fields[5])
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return malformed("%q has an address or port that is not valid", line)
	}
	h.Source, h.Destination = tcp(source, from), tcp(destination, to)
	return h, nil
}

// v1Addr returns the address text of a line for protocol.
func v1Addr(protocol, text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err == nil && (a.Zone() != "" || a.Is4() != (protocol == "TCP4")) {
		err = strconv.ErrSyntax
	}
	return a, err
}

// v1Port returns the port text: a number without a sign or leading zeros.
func v1Port(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err == nil && strconv.FormatUint(n, 10) != text {
		err = strconv.ErrSyntax
	}
	return uint16(n), err
}
