//go:build unix

package load

import "syscall"

// Descriptors returns how many files and sockets a process may have open. Go has already raised the
// soft limit to the hard limit. ok is false if the system does not report the limit.
func Descriptors() (n uint64, ok bool) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return uint64(limit.Cur), err == nil
}
