package server

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

// CPUOf returns the user and system time so far of any process. It returns [ErrUnknown] on systems
// other than Linux.
func CPUOf(pid int) (time.Duration, error) { return processCPU(pid) }

// RSSOf returns the resident bytes of any process. It returns [ErrUnknown] on systems other than
// Linux.
func RSSOf(pid int) (int64, error) { return memoryOf(pid, "VmRSS") }

func memoryOf(pid int, field string) (int64, error) {
	if runtime.GOOS != "linux" {
		return 0, ErrUnknown
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	return parseStatus(status, field)
}
