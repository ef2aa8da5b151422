package server

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// ErrUnknown is returned for figures that this system does not report about a process.
var ErrUnknown = errors.New("not known on this system")

// CPU returns the user and system time so far, of the process and of the processes that it has
// started. It returns [ErrUnknown] on a system that does not report it.
func (p *Process) CPU() (time.Duration, error) {
	if runtime.GOOS != "linux" {
		return p.reportedCPU()
	}
	return sum(p, processCPU)
}

// RSS returns the resident bytes of the process and of the processes that it has started; shared
// pages count for each of them. For a server of this executable, some 20 MiB are the executable
// itself, which contains all servers. RSS returns [ErrUnknown] on systems other than Linux.
func (p *Process) RSS() (int64, error) { return p.memory("VmRSS") }

// PeakRSS returns the maximum of RSS so far. For several processes, it is the sum of the maximum of
// each.
func (p *Process) PeakRSS() (int64, error) { return p.memory("VmHWM") }

func (p *Process) memory(field string) (int64, error) {
	if runtime.GOOS != "linux" {
		return 0, ErrUnknown
	}
	return sum(p, func(pid int) (int64, error) { return memoryOf(pid, field) })
}

// sum returns the sum of f for all processes of p.
func sum[N int64 | time.Duration](p *Process, f func(pid int) (N, error)) (N, error) {
	pids := []int{p.process.Pid()}
	if kinds[p.spec.Server].command != nil {
		var err error
		if pids, err = group(pids[0]); err != nil {
			return 0, fmt.Errorf("server %v: %w", p.spec, err)
		}
	}
	var all N
	for _, pid := range pids {
		n, err := f(pid)
		if err != nil {
			return 0, fmt.Errorf("server %v: %w", p.spec, err)
		}
		all += n
	}
	return all, nil
}

// reportedCPU returns the CPU time that the process itself reports.
func (p *Process) reportedCPU() (time.Duration, error) {
	if kinds[p.spec.Server].command != nil {
		return 0, ErrUnknown
	}
	line, err := p.process.Ask("cpu")
	if err != nil {
		return 0, fmt.Errorf("server %v: %w", p.spec, err)
	}
	if line == "" {
		return 0, ErrUnknown
	}
	ns, err := strconv.ParseInt(line, 10, 64)
	return time.Duration(ns), err
}

// group returns the processes of a process group, at least one.
func group(id int) (pids []int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // the process has ended
		}
		if g, err := parseGroup(stat); err != nil {
			return nil, err
		} else if g == id {
			pids = append(pids, pid)
		}
	}
	if len(pids) == 0 {
		return nil, os.ErrProcessDone
	}
	return pids, nil
}

// parseGroup returns the process group from the content of /proc/PID/stat. The second field is the
// name of the program in parentheses; the name may itself contain spaces and parentheses.
func parseGroup(stat []byte) (int, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const pgrp = 5 - 3 // field number of proc(5), without the first two fields
	if len(fields) <= pgrp {
		return 0, fmt.Errorf("/proc/PID/stat is %q, want more fields", stat)
	}
	n, err := strconv.Atoi(string(fields[pgrp]))
	if err != nil {
		return 0, fmt.Errorf("/proc/PID/stat: %w", err)
	}
	return n, nil
}

// parseStatus returns a number of bytes from the content of /proc/PID/status.
func parseStatus(status []byte, field string) (int64, error) {
	for line := range bytes.Lines(status) {
		v, ok := bytes.CutPrefix(line, []byte(field+":"))
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
	return 0, fmt.Errorf("/proc/PID/status has no line %s", field)
}
