package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// tick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 wherever Go runs on Linux.
const tick = 10 * time.Millisecond

// parseStat returns user and system time from the content of /proc/PID/stat. The second field is the name of
// the program in parentheses, which may have blanks and parentheses in it.
func parseStat(stat []byte) (time.Duration, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const user, system = 14 - 3, 15 - 3 // as proc(5) counts them, without the first two
	if len(fields) <= system {
		return 0, fmt.Errorf("/proc/PID/stat is %q, want more fields", stat)
	}
	var sum time.Duration
	for _, f := range fields[user : system+1] {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/PID/stat: %w", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// parseRSS returns the resident bytes from the content of /proc/PID/status.
func parseRSS(status []byte) (int64, error) {
	for line := range bytes.Lines(status) {
		v, ok := bytes.CutPrefix(line, []byte("VmRSS:"))
		if !ok {
			continue
		}
		v, ok = bytes.CutSuffix(bytes.TrimSpace(v), []byte(" kB"))
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil || !ok {
			return 0, fmt.Errorf("/proc/PID/status has the line %q, want kB", line)
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("/proc/PID/status has no line VmRSS")
}
