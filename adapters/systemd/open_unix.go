//go:build unix

package systemd

import "syscall"

// isOpen reports whether a descriptor is open.
func isOpen(fd int) bool {
	var st syscall.Stat_t
	return syscall.Fstat(fd, &st) == nil
}
