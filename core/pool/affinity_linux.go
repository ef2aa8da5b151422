package pool

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// pin locks the calling goroutine to a thread, and that to a processor. The runtime ends the thread
// with the goroutine, and starts no other threads from it: nobody else gets to be pinned.
func pin(cpu int) error {
	runtime.LockOSThread()
	var set unix.CPUSet
	err := error(unix.EINVAL)
	if cpu >= 0 { // below, the set has no check of its own
		set.Set(cpu)
		err = unix.SchedSetaffinity(0, &set)
	}
	if err != nil {
		return fmt.Errorf("pool: CPUs has %d: %w", cpu, err)
	}
	return nil
}
