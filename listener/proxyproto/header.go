package proxyproto

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
)

// Errors of Parse. Other errors wrap ErrMalformed or ErrNoHeader, and say what is wrong.
var (
	// ErrIncomplete says that the header is not complete yet, and that nothing is wrong so far.
	ErrIncomplete = errors.New("the header is incomplete")

	// ErrNoHeader says that the connection does not begin like a header.
	ErrNoHeader = errors.New("the connection does not begin with a header")

	// ErrMalformed says that the connection begins like a header that does not follow the format,
	// or is too long.
	ErrMalformed = errors.New("malformed header")
)

// Incomplete returns the error for a connection on which only sent, a part of the header, has
// arrived before err. It wraps [ErrIncomplete] and err, unless nothing has arrived or err says
// already what is wrong with sent.
func Incomplete(err error, sent []byte) error {
	switch {
	case len(sent) == 0, errors.Is(err, ErrMalformed), errors.Is(err, ErrNoHeader):
		return err
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", ErrIncomplete, err)
}

// A Header is what a proxy says about a connection.
type Header struct {
	// Len is the length of the header in bytes. What follows belongs to the client. Zero means
	// that there is no header.
	Len int

	// Source and Destination are the addresses of the client and of the socket that it has
	// connected to: [*net.TCPAddr] or [*net.UnixAddr]. The address of a client that uses UDP, as
	// with HTTP/3, is a TCPAddr too, because the connection from the proxy is not UDP. Both are nil
	// if the connection keeps its own addresses.
	Source, Destination net.Addr
}

// Signatures with which a header begins.
const (
	v1Signature = "PROXY "
	v2Signature = "\r\n\r\n\x00\r\nQUIT\n"
)

// Parse parses the header at the beginning of b, which has the bytes that have arrived so far, and
// may continue after the header. A header of version 2 may have at most max bytes. Parse returns
// [ErrIncomplete] if more bytes are needed, which is never the case if b has max bytes. Other
// errors wrap [ErrNoHeader] or [ErrMalformed], and remain the same with more bytes.
//
// Parse is stricter than the specification requires: a header whose TLVs do not fit exactly, or
// whose checksum is wrong, is malformed.
func Parse(b []byte, max int) (Header, error) {
	for _, v := range []struct {
		signature string
		parse     func(b []byte, max int) (Header, error)
	}{{v1Signature, parseV1}, {v2Signature, parseV2}} {
		switch n := min(len(b), len(v.signature)); {
		case string(b[:n]) != v.signature[:n]:
		case n < len(v.signature):
			return Header{}, ErrIncomplete
		default:
			return v.parse(b, max)
		}
	}
	return Header{}, fmt.Errorf("%w, but with %q", ErrNoHeader, b[:min(len(b), 16)])
}

// malformed returns an error that wraps ErrMalformed.
func malformed(format string, args ...any) (Header, error) {
	return Header{}, fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// tcp returns the address in the form that package net gives it.
func tcp(a netip.Addr, port uint16) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.Unmap(), port))
}

// unix returns the address of a socket whose path fills b, or ends in a zero byte. An abstract
// address begins with a zero byte. As in package net, it then begins with "@", and so does that of
// a socket without a path. A relative path gets "./" at its beginning, so that it does not look
// like an IP address.
func unix(b []byte) net.Addr {
	name := string(b)
	switch b[0] {
	case 0:
		name = "@" + name[1:]
	case '/':
	default:
		name = "./" + name
	}
	name, _, _ = strings.Cut(name, "\x00")
	return &net.UnixAddr{Name: name, Net: "unix"}
}
