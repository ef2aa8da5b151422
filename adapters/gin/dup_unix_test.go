//go:build unix

package recyclinggin_test

import (
	"os"
	"syscall"
)

// dup returns a descriptor that nobody else will close.
func dup(f *os.File) (int, error) { return syscall.Dup(int(f.Fd())) }
