//go:build unix

package status

import (
	"errors"
	"math"
	"syscall"
)

// maxDescriptors returns how many descriptors the process may open, or -1 if that is unknown or
// unlimited.
func maxDescriptors() int64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || uint64(l.Cur) > math.MaxInt32 {
		return -1
	}
	return int64(l.Cur)
}

// outOfDescriptors reports whether err says that the process, or the system, has no descriptor
// left.
func outOfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
