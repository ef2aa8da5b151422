// Package leak finds what tests have left over: goroutines, child processes and uploaded files.
package leak

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long goroutines have to end after the tests.
const patience = 10 * time.Second

// parallel is how many parallel tests run at the same time. Tests of servers wait more than they
// work, so it does not depend on the number of processors.
const parallel = "16"

// Main runs the tests and returns the exit code of the program. The code is 1 if the tests pass,
// but [Goroutines] finds goroutines that are left:
//
//	func TestMain(m *testing.M) { os.Exit(leak.Main(m, "example.org/mine")) }
//
// Sixteen parallel tests run at the same time, or as many as the flag -parallel says.
func Main(m *testing.M, of ...string) int {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		f.Value.Set(parallel)
	}
	code := m.Run()
	if code != 0 {
		return code
	}
	if left := Goroutines(of...); left != nil {
		fmt.Fprintf(os.Stderr, "goroutines left:\n\n%s\n", strings.Join(left, "\n\n"))
		return 1
	}
	return 0
}

// Goroutines returns the stacks of all other goroutines that contain one of the strings, such as
// the path of a package, except for the goroutines of tests, and for those that contain the rest of
// a string that begins with an exclamation mark. It waits a while for them to end, and returns nil
// if none is left.
func Goroutines(of ...string) []string { return goroutines(patience, of) }

func goroutines(patience time.Duration, of []string) []string {
	buf := make([]byte, 4<<20)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		_, others, _ := bytes.Cut(buf[:runtime.Stack(buf, true)], []byte("\n\n")) // skips ours
		var left []string
		for stack := range strings.SplitSeq(string(others), "\n\n") {
			if isTest := strings.Contains(stack, "testing.tRunner(") || strings.Contains(stack, "testing.(*M).Run("); isTest {
				continue
			}
			is := func(part string) bool { return !strings.HasPrefix(part, "!") && strings.Contains(stack, part) }
			excepted := func(part string) bool {
				rest, ok := strings.CutPrefix(part, "!")
				return ok && strings.Contains(stack, rest)
			}
			if slices.ContainsFunc(of, is) && !slices.ContainsFunc(of, excepted) {
				left = append(left, stack)
			}
		}
		if left == nil || time.Now().After(deadline) {
			return left
		}
	}
}

// Children returns the contents of /proc/PID/stat for each child of this process, including
// zombies. It returns nil if there is no /proc.
func Children() (left []string) {
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
			left = append(left, string(b))
		}
	}
	return left
}
