//go:build !linux

package server

import "errors"

// gnet is measured only on Linux: see Available.
func (c config) gnet() error { return errors.New("server: gnet is measured on Linux only") }
