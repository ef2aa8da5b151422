//go:build unix

package recyclinggin_test

import (
	"os"
	"syscall"
)

// dup returns a duplicate of f's descriptor, which the caller owns.
func dup(f *os.File) (int, error) { return syscall.Dup(int(f.Fd())) }
