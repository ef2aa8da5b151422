//go:build !linux

package listener

import "syscall"

// setOptions does nothing: accepted connections do not inherit options, and package net sets them
// on each connection.
func (c *Config) setOptions(syscall.RawConn, bool) error { return nil }
