//go:build unix

package child_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload/child"
)

// A task that writes a stream to a parent that has died gets an error: SIGPIPE does not end it
// before it has cleaned up.
func TestStreamToADeadParentReturns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cleaned-up")
	input, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	cmd := child.Self()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }).Stop()
	in.Write(frame(child.Setup, 0, child.SetupFor()))
	in.Write(frame(child.Ask, 1, child.Question(0, 1<<10, "endless", string(input))))
	if _, err := io.CopyN(io.Discard, out, 1000); err != nil { // the stream flows
		t.Error(err)
	}
	out.Close() // first, so that a write fails before the child reads that its input has ended
	in.Close()
	err = cmd.Wait()
	if text, e := os.ReadFile(file); e != nil || len(text) == 0 {
		t.Errorf("the task has not got an error (%v): the child has ended with %v", e, err)
	}
}

// stop stops a child, and waits until it does nothing any more.
func stop(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("status %v, %v; want stopped", status, err)
	}
}

// A child that is stopped, and so neither reads nor ends, is killed in the end, whatever it is
// doing.
func TestChildThatIsStopped(t *testing.T) {
	large := make([]byte, 1<<20) // more than a pipe holds
	for name, do := range map[string]func(context.Context, *child.Place) error{
		"task":  func(ctx context.Context, p *child.Place) error { _, err := echo.Do(ctx, p, nil); return err },
		"input": func(ctx context.Context, p *child.Place) error { _, err := echo.Do(ctx, p, large); return err },
		"stream": func(ctx context.Context, p *child.Place) error {
			return pour.Do(ctx, p, 1<<40, io.Discard)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := workers(1)
			c.Groups[0].Command.Grace = 20 * time.Millisecond
			p := open(t, c)
			stopped, err := pid.Do(ctx, p, struct{}{})
			if err != nil {
				t.Fatal(err)
			}
			short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			if name == "stream" { // in the middle of it
				time.AfterFunc(20*time.Millisecond, func() { syscall.Kill(stopped, syscall.SIGSTOP) })
			} else {
				stop(t, stopped)
			}
			if err := do(short, p); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want DeadlineExceeded", err)
			}
			eventually(t, "another child serves", func() bool {
				// On a busy machine, the first call may have ended before the child had it.
				limited, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				n, err := pid.Do(limited, p, struct{}{})
				return n != stopped && err == nil
			})
		})
	}
}

// Close and Restart do not need a child that reads.
func TestIdleChildThatIsStoppedIsReplaced(t *testing.T) {
	c := workers(1)
	c.Groups[0].Command.Grace = 20 * time.Millisecond
	p := open(t, c)
	stopped, err := pid.Do(ctx, p, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	stop(t, stopped)
	if err := p.Restart(ctx, "all"); err != nil {
		t.Error(err)
	}
	next, err := pid.Do(ctx, p, struct{}{})
	if err != nil || next == stopped {
		t.Errorf("process %d, %v; want another than %d", next, err, stopped)
	}
	stop(t, next)
	if err := p.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}
