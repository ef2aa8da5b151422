//go:build unix && !linux

package server

import "syscall"

func endWithParent(*syscall.SysProcAttr) {}
