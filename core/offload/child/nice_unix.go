//go:build unix && !linux

package child

import "syscall"

// setNice sets the niceness of a process.
func setNice(pid, nice int) error { return syscall.Setpriority(syscall.PRIO_PROCESS, pid, nice) }
