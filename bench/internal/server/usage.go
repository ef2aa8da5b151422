package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// ErrUnknown is returned for what this system does not say of a process.
var ErrUnknown = errors.New("not known on this system")

// CPU returns the user and system time of the process so far, and of those it has started. It returns [ErrUnknown] on a system
// that does not say.
func (p *Process) CPU() (time.Duration, error) {
	if runtime.GOOS != "linux" {
		return p.reportedCPU()
	}
	return sum(p, processCPU)
}

// RSS returns the resident bytes of the process, and of those it has started: pages that these share are
// counted for each. Some 20 MiB of a server of this executable's are the executable, which has all of them in it. RSS
// returns [ErrUnknown] on systems other than Linux.
func (p *Process) RSS() (int64, error) { return p.memory("VmRSS") }

// PeakRSS is the most that RSS was at any time; with several processes, the sum of the most that each had.
func (p *Process) PeakRSS() (int64, error) { return p.memory("VmHWM") }

func (p *Process) memory(field string) (int64, error) {
	if runtime.GOOS != "linux" {
		return 0, ErrUnknown
	}
	return sum(p, func(pid int) (int64, error) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		return parseStatus(status, field)
	})
}

// sum adds up what f says of each process of p.
func sum[N int64 | time.Duration](p *Process, f func(pid int) (N, error)) (N, error) {
	pids := []int{p.cmd.Process.Pid}
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

// reportedCPU is CPU as the process itself says.
func (p *Process) reportedCPU() (time.Duration, error) {
	if p.stdin == nil {
		return 0, ErrUnknown
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := io.WriteString(p.stdin, "cpu\n"); err != nil {
		return 0, fmt.Errorf("server %v: %w", p.spec, err)
	}
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("server %v: %w", p.spec, err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return 0, ErrUnknown
	}
	ns, err := strconv.ParseInt(line, 10, 64)
	return time.Duration(ns), err
}

// group returns the processes of a process group, of which there is at least one.
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
			continue // it has ended
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

// parseGroup returns the process group from the content of /proc/PID/stat. The second field is the name of the program in
// parentheses, which may have blanks and parentheses in it.
func parseGroup(stat []byte) (int, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const pgrp = 5 - 3 // as proc(5) counts them, without the first two
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
