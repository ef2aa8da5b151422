//go:build !linux

package listener

import (
	"net"
	"net/netip"
)

func newRaw(net.Listener) (*Raw, bool) { return nil, false }

// A sockaddr is never filled in on this system.
type sockaddr struct{}

func (*sockaddr) ip() (netip.AddrPort, bool) { return netip.AddrPort{}, false }
func (*sockaddr) unix() (string, bool)       { return "", false }

func acceptSilent(int) {}
