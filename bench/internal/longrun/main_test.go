package longrun_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/recycling-go/recycling/bench/internal/longrun"
	"github.com/recycling-go/recycling/bench/internal/places"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// TestMain makes the test binary a child when it is started as one. Otherwise it fails if a
// goroutine, a file or a child process is left after all tests.
func TestMain(m *testing.M) {
	places.Main(longrun.Register)
	if len(os.Args) > 1 && os.Args[1] == longrun.ChildArg {
		if err := longrun.ChildMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(clean(m))
}

// clean runs m with its own directory for temporary files, and returns the exit status.
func clean(m *testing.M) int {
	dir, err := os.MkdirTemp("", "longrun-test-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} { // names on Unix and on Windows
		os.Setenv(name, dir)
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise children take a second to exit with -race
	code := leak.Main(m, "longrun", "bench/internal/places", "trial/harness", "recycling/core", "net/http", "os/exec", "alitto/pond")
	if code == 0 {
		for _, left := range [][]string{filesLeft(dir), leak.Children()} {
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
