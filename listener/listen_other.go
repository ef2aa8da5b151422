//go:build !unix

package listener

import (
	"net"
	"os"
)

// setBacklog does nothing, since listen cannot be called again.
func (c *Config) setBacklog(uintptr) error { return nil }

func fileListener(f *os.File) (net.Listener, error) { return net.FileListener(f) }
