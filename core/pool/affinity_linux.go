package pool

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// pin locks the calling goroutine to its thread, and the thread to a processor. The runtime ends
// the thread together with the goroutine, and starts no other threads from it, so no other
// goroutine becomes pinned.
func pin(cpu int) error {
	runtime.LockOSThread()
	var set unix.CPUSet
	err := error(unix.EINVAL)
	if cpu >= 0 { // CPUSet does not check for negative numbers
		set.Set(cpu)
		err = unix.SchedSetaffinity(0, &set)
	}
	if err != nil {
		return fmt.Errorf("pool: CPUs has %d: %w", cpu, err)
	}
	return nil
}
