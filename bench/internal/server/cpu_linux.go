package server

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// processCPU returns the user and system time of a process. /proc/PID/stat also has them, but in
// steps of 10 ms, which is coarse compared with a second of measurement.
func processCPU(pid int) (time.Duration, error) {
	// clock is what clock_getcpuclockid(3) makes from the process ID: the kernel's CPUCLOCK_SCHED
	// of a process.
	clock := int32(^pid<<3 | 2)
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}
