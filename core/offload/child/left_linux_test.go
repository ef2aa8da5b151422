package child_test

import (
	"os"

	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// leavings counts what children might leave behind.
type leavings struct{ descriptors, processes int }

// left counts this process's descriptors and child processes, including zombies.
func left() leavings {
	var l leavings
	fds, _ := os.ReadDir("/proc/self/fd")
	l.descriptors = len(fds)
	l.processes = len(leak.Children())
	return l
}
