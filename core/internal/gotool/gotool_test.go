package gotool

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Commands that run at the same time share a folder.
func TestLinksAreMadeAtTheSameTime(t *testing.T) {
	to := t.TempDir()
	for i := range 100 {
		link := filepath.Join(t.TempDir(), fmt.Sprint(i))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := symlink(to, link); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := symlink(t.TempDir(), link); err == nil {
			t.Error("a link to another folder is taken for this one")
		}
		os.Remove(link)
	}
}

func TestToolchainLeavesTheCacheOnce(t *testing.T) {
	goroot := func() string {
		out, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	root, dir := goroot(), t.TempDir()
	for _, name := range []string{"GOROOT", "GOTOOLCHAIN", "PATH"} { // LeaveCache sets them
		t.Setenv(name, os.Getenv(name))
	}
	t.Setenv("GOMODCACHE", dir)
	if left, err := LeaveCache(dir); left || err != nil {
		t.Fatalf("a toolchain outside of the cache: %v, %v", left, err)
	}
	t.Setenv("GOMODCACHE", filepath.Dir(root))
	if left, err := LeaveCache(dir); !left || err != nil {
		t.Fatalf("a toolchain in the cache: %v, %v", left, err)
	}
	if got, want := goroot(), filepath.Join(dir, "go"); got != want {
		t.Errorf("GOROOT is %s, want %s", got, want)
	}
	if left, err := LeaveCache(dir); left || err != nil {
		t.Errorf("a second call: %v, %v", left, err)
	}
}
