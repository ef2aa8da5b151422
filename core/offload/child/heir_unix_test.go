//go:build unix

package child_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
)

const (
	sayReady = "head -c 16 /dev/zero; "
	// The standard input of a background process of sh is always /dev/null, so it gets the child's
	// as descriptor 3.
	leaveHeir = "exec 3<&0; sleep 60 & "
)

// shell returns a Command for children that run script. Processes that they leave behind are killed
// at the end of the test.
func shell(t *testing.T, script string) child.Command {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	var mu sync.Mutex
	var all []*exec.Cmd
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, cmd := range all {
			if cmd.Process != nil {
				syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			}
		}
	})
	return child.Command{Grace: 50 * time.Millisecond, New: func() *exec.Cmd {
		cmd := exec.Command("sh", "-c", script)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, cmd)
		return cmd
	}}
}

// soon fails the test if c is not closed soon.
func soon(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not end", what)
	}
}

// A child's own child may keep its standard input open, so that the end of the child does not end
// the write of a request.
func TestRequestThatNobodyReads(t *testing.T) {
	for name, test := range map[string]struct {
		script  string
		timeout time.Duration
		want    string
	}{
		"killed": {"sleep 60; true", 100 * time.Millisecond, "no answer within 50ms"},
		"ended":  {leaveHeir + "head -c 1; exit 4", time.Minute, "has ended without an answer (exit status 4)"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, shell(t, sayReady+test.script), nil)
			ctx, cancel := context.WithTimeout(ctx, test.timeout)
			defer cancel()
			var err error
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, err = p.Call(ctx, make([]byte, 1<<20)) // more than a pipe holds
			}()
			soon(t, ended, "Call")
			if !errors.Is(err, offload.ErrBroken) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want ErrBroken and %q", err, test.want)
			}
		})
	}
}

func TestCloseOfResourcesDuringARequestThatNobodyReads(t *testing.T) {
	command := shell(t, sayReady+"sleep 60; true")
	r, err := offload.NewResources(ctx, offload.ResourceConfig[*child.Process]{
		Config: offload.Config{Workers: 1, Timeout: 100 * time.Millisecond}, Open: command.Start, Close: (*child.Process).Close,
		Failed: func(err error) { t.Log(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call(ctx, r, strings.Repeat("0", 1<<20)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want DeadlineExceeded", err)
	}
	r.Close()
	soon(t, r.Done(), "the pool")
}
