package child_test

import (
	"os"

	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// Leavings are what children might leave over.
type leavings struct{ descriptors, processes int }

// left counts our descriptors and our children, zombies included.
func left() leavings {
	var l leavings
	fds, _ := os.ReadDir("/proc/self/fd")
	l.descriptors = len(fds)
	l.processes = len(leak.Children())
	return l
}
