//go:build !linux

package hosts

import (
	"context"
	"fmt"
	"net"
	"runtime"
)

// A Network is a set of hosts that can reach each other. There is none on this system.
type Network struct{ Hosts []*Host }

// New returns an error that wraps [ErrUnsupported].
func New(context.Context, string, ...string) (*Network, error) { return nil, unsupported() }

func unsupported() error {
	return fmt.Errorf("%w: %s has no network namespaces", ErrUnsupported, runtime.GOOS)
}

// Close does nothing.
func (n *Network) Close() error { return nil }

// Dial returns an error.
func (n *Network) Dial(context.Context, string, string) (net.Conn, error) { return nil, unsupported() }

// Command returns its arguments.
func (h *Host) Command(program string, args ...string) (string, []string) { return program, args }

// Cut returns an error.
func (h *Host) Cut(context.Context) error { return unsupported() }

// Heal returns an error.
func (h *Host) Heal(context.Context) error { return unsupported() }

// Mount returns an error.
func (h *Host) Mount(string, int64) (string, error) { return "", unsupported() }

// Fill returns an error.
func Fill(string) (free func() error, err error) { return nil, unsupported() }
