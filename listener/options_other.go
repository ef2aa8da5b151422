//go:build !linux

package listener

import "syscall"

// setOptions does nothing: accepted connections do not inherit, and package net sets
// on each what it should have.
func (c *Config) setOptions(syscall.RawConn, bool) error { return nil }
