package child

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// setNice sets the niceness of all threads of a process. Each thread has its own niceness, which
// threads that it starts inherit, so setNice repeats until it finds no new thread.
func setNice(pid, nice int) error {
	done := map[string]bool{}
	for {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return err
		}
		before := len(done)
		for _, t := range threads {
			if done[t.Name()] {
				continue
			}
			done[t.Name()] = true
			tid, err := strconv.Atoi(t.Name())
			if err != nil {
				return err
			}
			if err := syscall.Setpriority(syscall.PRIO_PROCESS, tid, nice); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		if len(done) == before {
			return nil
		}
	}
}
