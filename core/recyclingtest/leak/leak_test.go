package leak

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(Main(m, "leak.wait")) }

func wait(begun, c chan struct{}) {
	close(begun)
	<-c
}

func TestGoroutines(t *testing.T) {
	begun, c := make(chan struct{}), make(chan struct{})
	go wait(begun, c)
	<-begun // before that it is not in its stack
	if left := Goroutines("leak.nothing"); left != nil {
		t.Errorf("nothing waits:\n%s", strings.Join(left, "\n\n"))
	}
	if left := goroutines(50*time.Millisecond, []string{"leak.nothing", "leak.wait"}); len(left) != 1 || !strings.Contains(left[0], "leak.wait") {
		t.Errorf("one waits, but found are %d:\n%s", len(left), strings.Join(left, "\n\n"))
	}
	if left := Goroutines("leak.wait", "!leak.wait"); left != nil {
		t.Errorf("one waits, and is excepted:\n%s", strings.Join(left, "\n\n"))
	}
	close(c)
	if left := Goroutines("leak.wait"); left != nil {
		t.Errorf("none waits any more:\n%s", strings.Join(left, "\n\n"))
	}
}

func TestChildren(t *testing.T) {
	if self, _ := filepath.Glob("/proc/self/stat"); self == nil {
		t.Skip("needs /proc")
	}
	before := len(Children())
	cmd := exec.Command(os.Args[0], "-test.run", "^$")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if n := len(Children()) - before; n != 1 { // it is there until it is waited for, dead or alive
		t.Errorf("%d children more, want 1", n)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if n := len(Children()) - before; n != 0 {
		t.Errorf("%d children more, want none", n)
	}
}
