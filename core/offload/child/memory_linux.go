package child

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// checkMemory returns why resident memory cannot be measured, or nil.
func checkMemory() error {
	_, err := residentMemory(os.Getpid())
	return err
}

// residentMemory returns the resident memory of a process in bytes, as statm says: see
// proc_pid_statm(5).
func residentMemory(pid int) (int64, error) {
	file := fmt.Sprintf("/proc/%d/statm", pid)
	statm, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0, errors.New(file + " has no second field")
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return pages * int64(os.Getpagesize()), nil
}
