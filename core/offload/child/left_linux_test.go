package child_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Leavings are what children might leave over.
type leavings struct{ descriptors, processes int }

// left counts our descriptors and our children, zombies included.
func left() leavings {
	var l leavings
	fds, _ := os.ReadDir("/proc/self/fd")
	l.descriptors = len(fds)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		var state string
		var parent int
		if fmt.Sscan(rest, &state, &parent); parent == os.Getpid() {
			l.processes++
		}
	}
	return l
}
