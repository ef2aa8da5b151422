package child_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/core/offload/child"
)

func TestNice(t *testing.T) {
	var cmd *exec.Cmd
	c := child.Command{Nice: 7, New: func() *exec.Cmd {
		cmd = exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SHOUT=yes")
		return cmd
	}}
	p, err := c.Start(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if out, err := p.Call(t.Context(), []byte("x")); err != nil || string(out) != "X" {
		t.Errorf("answer %q, %v", out, err)
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		t.Fatal("no threads are found: ", err)
	}
	for _, file := range threads {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		const nice = 19 - 3 // as proc(5) counts fields, without the first two
		if f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); f[nice] != "7" {
			t.Errorf("%s has niceness %s", file, f[nice])
		}
	}
}

func TestWrongNice(t *testing.T) {
	for _, n := range []int{-1, 20} {
		c := child.Command{Nice: n, New: func() *exec.Cmd { return exec.Command(os.Args[0]) }}
		if _, err := c.Start(t.Context(), nil); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("Nice is %d", n)) {
			t.Errorf("Nice %d: %v", n, err)
		}
	}
}
