//go:build !linux

package soak

import "syscall"

func resident(int) int64   { return 0 }
func stolen() (_, _ int64) { return 0, 0 }
func descriptors() int     { return -1 }
func maxDescriptors() int  { return 1024 }

const spread = false

func narrow(string, string, syscall.RawConn) error { return nil }
