//go:build unix

package recycling

import (
	"math"
	"syscall"
)

// maxDescriptors returns how many descriptors the process may open, or zero if that is unknown or
// does not fit an int32.
func maxDescriptors() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || uint64(l.Cur) > math.MaxInt32 {
		return 0
	}
	return int(l.Cur)
}
