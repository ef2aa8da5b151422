package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
)

// A confinement limits one controller of control groups. It has the settings for both versions of
// control groups: the names of files and what to write to them.
type confinement struct {
	controller string
	v1, v2     [][2]string
}

// memoryOf limits memory to the given number of bytes. Beyond that, the kernel kills the process.
func memoryOf(bytes int) confinement {
	limit := fmt.Sprint(bytes)
	return confinement{"memory", [][2]string{{"memory.limit_in_bytes", limit}}, [][2]string{{"memory.max", limit}, {"memory.swap.max", "0"}}}
}

// tenthOfCPU allows 100 ms of CPU in each second, so the process may stand still for up to 900 ms.
func tenthOfCPU() confinement {
	return confinement{"cpu",
		[][2]string{{"cpu.cfs_period_us", "1000000"}, {"cpu.cfs_quota_us", "100000"}},
		[][2]string{{"cpu.max", "100000 1000000"}}}
}

// groups counts the control groups of this process. Their names contain the process ID and this
// number.
var groups atomic.Int64

// confine moves p into a new control group, which is removed at the end of the row, and returns its
// folder. It returns a skip if that is not allowed.
func (t *trial) confine(p *process, c confinement) (dir string, err error) {
	const root = "/sys/fs/cgroup"
	name := fmt.Sprintf("bench-faults-%d-%d", os.Getpid(), groups.Add(1))
	dir, settings := filepath.Join(root, c.controller, name), c.v1
	err = os.Mkdir(dir, 0o755)
	if errors.Is(err, os.ErrNotExist) { // this controller has no hierarchy
		dir, settings = filepath.Join(root, name), c.v2
		err = os.Mkdir(dir, 0o755)
	}
	if err != nil {
		return "", skip("needs control groups: " + err.Error())
	}
	t.later(func() {
		p.Kill() // a group that contains a process cannot be removed
		os.Remove(dir)
	})
	for _, s := range append(settings[:len(settings):len(settings)], [2]string{"cgroup.procs", p.pid()}) {
		if err := os.WriteFile(filepath.Join(dir, s[0]), []byte(s[1]), 0); err != nil {
			return "", skip("needs control groups: " + err.Error())
		}
	}
	return dir, nil
}

// peak returns the maximum memory that a control group has used so far, or zero if the system does
// not report it.
func peak(dir string) (bytes int) {
	for _, name := range []string{"memory.max_usage_in_bytes", "memory.peak"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			bytes, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		}
	}
	return bytes
}

// orNoted turns the skip of a part of a row into a note, so that the other parts still count.
func (t *trial) orNoted(part string, err error) error {
	var s skip
	if errors.As(err, &s) {
		t.note("%s %v", part, s)
		return nil
	}
	return err
}
