package longrun_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/bench/internal/longrun"
)

// TestMain is a child if it was started as one. Else it fails if a goroutine, a file or a child process is left when all
// tests have ended.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == longrun.ChildArg {
		if err := longrun.ChildMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(clean(m))
}

// clean returns the exit status of m's tests, which have a directory for temporary files to themselves.
func clean(m *testing.M) int {
	dir, err := os.MkdirTemp("", "longrun-test-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} { // that of Unix, and those of Windows
		os.Setenv(name, dir)
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // of children, which would take a second to end with -race
	code := m.Run()
	if code == 0 {
		for _, left := range [][]string{filesLeft(dir), childrenLeft(), goroutinesLeft(5 * time.Second)} {
			for _, name := range left {
				fmt.Println("left over:", name)
				code = 1
			}
		}
	}
	return code
}

func filesLeft(dir string) []string {
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	return names
}

// childrenLeft returns the stat lines of our children, zombies included; none where there is no /proc.
func childrenLeft() (left []string) {
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

// goroutinesLeft returns the stacks of goroutines that belong to a server, a client or a child.
func goroutinesLeft(patience time.Duration) []string {
	buf := make([]byte, 4<<20)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		_, others, _ := bytes.Cut(buf[:runtime.Stack(buf, true)], []byte("\n\n")) // the first is ours
		var left []string
		for stack := range strings.SplitSeq(string(others), "\n\n") {
			for _, of := range []string{"longrun", "recycling/core", "net/http", "os/exec", "alitto/pond"} {
				if strings.Contains(stack, of) {
					left = append(left, stack)
					break
				}
			}
		}
		if left == nil || time.Now().After(deadline) {
			return left
		}
	}
}
