//go:build !linux

package listener

import (
	"net"
	"os"
	"syscall"
)

// A socket is a listener of package net.
type socket struct{ nl netListener }

func newSocket(nl netListener, _ bool) (*socket, error) {
	if u, ok := nl.(interface{ SetUnlinkOnClose(bool) }); ok { // not on Plan 9
		u.SetUnlinkOnClose(false) // Listener does it instead
	}
	return &socket{nl}, nil
}

func (s *socket) listener() (net.Listener, error)       { return s.nl, nil }
func (s *socket) file(string) (*os.File, error)         { return s.nl.File() }
func (s *socket) syscallConn() (syscall.RawConn, error) { return s.nl.SyscallConn() }
func (s *socket) close() error                          { return s.nl.Close() }
