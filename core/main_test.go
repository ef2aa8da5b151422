package recycling_test

import (
	"flag"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails if a goroutine of ours outlives the tests. Most of them wait more than they work, so more
// of them run at the same time than there are processors, unless somebody says how many.
func TestMain(m *testing.M) {
	flag.Parse()
	if p := flag.Lookup("test.parallel"); p.Value.String() == p.DefValue {
		p.Value.Set("16")
	}
	code := m.Run()
	if code == 0 {
		if left := leaked(); left != "" {
			os.Stderr.WriteString("goroutines left:\n" + left)
			code = 1
		}
	}
	os.Exit(code)
}

// leaked returns the stacks of goroutines of ours that should have ended, after giving them a while. The
// goroutines of tests are not meant.
func leaked() (stacks string) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		buf := make([]byte, 4<<20)
		stacks = ""
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "recycling-go") && !strings.Contains(g, "testing.tRunner(") && !strings.Contains(g, "TestMain(") {
				stacks += g + "\n\n"
			}
		}
		if stacks == "" {
			return ""
		}
	}
	return stacks
}
