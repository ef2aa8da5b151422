package child_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
)

var ctx = context.Background()

func TestCall(t *testing.T) {
	p := start(t, as("obedient"), nil)
	large := strings.Repeat("0123456789abcdef", 1<<17) // more than a pipe holds
	for _, want := range []string{"", "hello", large, "after a large one"} {
		if got, err := p.Call(ctx, []byte("echo "+want)); string(got) != want || err != nil {
			t.Errorf("%d bytes, %v, want %d", len(got), err, len(want))
		}
	}
	if got, err := p.Call(ctx, []byte("print "+large[:100])); len(got) != 0 || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	_, err := p.Call(ctx, []byte("error of its own"))
	if err != child.Error("of its own") || errors.Is(err, offload.ErrBroken) {
		t.Errorf("%v, want the child's error", err)
	}
	if _, err := p.Call(ctx, []byte("echo 1")); err != nil {
		t.Errorf("after an error: %v", err)
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestChildThatEndsIsNoticed(t *testing.T) {
	for request, status := range map[string]string{"panic now": "exit status 2", "exit": "exit status 5"} {
		t.Run(request, func(t *testing.T) {
			failed := make(chan error, 10)
			p := start(t, as("obedient"), func(err error) { failed <- err })
			_, err := p.Call(ctx, []byte(request))
			if !errors.Is(err, offload.ErrBroken) || !strings.Contains(err.Error(), status) {
				t.Errorf("%v, want ErrBroken and %q", err, status)
			}
			<-failed
			if _, err := p.Call(ctx, []byte("echo")); !errors.Is(err, offload.ErrBroken) {
				t.Errorf("%v, want ErrBroken", err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if len(failed) > 0 {
				t.Errorf("told a second time: %v", <-failed)
			}
		})
	}
}

func TestIdleChildThatEndsIsNoticed(t *testing.T) {
	failed := make(chan error, 10)
	p := start(t, as("obedient"), func(err error) { failed <- err })
	kill(t, p.Pid())
	if err := <-failed; !errors.Is(err, offload.ErrBroken) {
		t.Error(err)
	}
	p.Close()
}

func kill(t testing.TB, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Error(err)
	}
	p.Release()
}

func TestChildThatDoesNotStart(t *testing.T) {
	missing := child.Command{New: func() *exec.Cmd { return exec.Command(os.Args[0] + "-is-missing") }}
	ready := func(c child.Command, d time.Duration) child.Command { c.Ready = d; return c }
	taken := child.Command{New: func() *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Stdout = io.Discard
		return c
	}}
	for name, test := range map[string]struct {
		c    child.Command
		want string
	}{
		"missing": {missing, "is-missing"},
		"taken":   {taken, "Stdout"},
		"quitter": {as("quitter"), "exit status 3"},
		"mute":    {ready(as("mute"), 50*time.Millisecond), "not ready within 50ms"},
		"babbler": {as("babbler"), "frame"},
		"eager":   {as("eager"), "first frame"},
		"no New":  {child.Command{}, "New"},
		"answer":  {child.Command{New: taken.New, MaxAnswer: -3}, "MaxAnswer is -3"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := test.c.Start(ctx, func(err error) { t.Errorf("told %v, but nobody has it", err) })
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q in it", err, test.want)
			}
		})
	}
}

func TestStartHeedsItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := as("mute").Start(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestChildThatHangsIsKilled(t *testing.T) {
	for _, grace := range []time.Duration{-1, 50 * time.Millisecond} {
		c := as("obedient")
		c.Grace = grace
		failed := make(chan error, 10)
		p := start(t, c, func(err error) { failed <- err })
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err := p.Call(ctx, []byte("sleep 1h"))
		if !errors.Is(err, offload.ErrBroken) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want ErrBroken and DeadlineExceeded", err)
		}
		if d := time.Since(begin); d < 50*time.Millisecond+max(grace, 0) {
			t.Errorf("killed after %v", d)
		}
		<-failed
	}
}

// An answer within the grace period is Call's, and the child continues.
func TestLateAnswerIsNotTheNextOnes(t *testing.T) {
	r := newChildren(t, as("obedient"), offload.Config{Workers: 1, Wait: -1})
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if got, err := call(short, r, "sleep 200ms"); err != context.DeadlineExceeded || got != "" {
		t.Errorf("%q, %v, want DeadlineExceeded", got, err)
	}
	if got, err := call(ctx, r, "echo mine"); got != "mine" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if s := r.Stats(); s.Failed != 0 || s.Abandoned != 1 {
		t.Errorf("%+v, want the child kept", s)
	}
}

func TestCallAfterTheEndOfItsContext(t *testing.T) {
	p := start(t, as("obedient"), nil)
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := p.Call(over, []byte("exit")); err != context.Canceled {
		t.Error(err)
	}
	if _, err := p.Call(ctx, []byte("echo")); err != nil {
		t.Error(err)
	}
}

func TestAnswersThatWereNotAskedFor(t *testing.T) {
	p := start(t, as("twice"), nil)
	if _, err := p.Call(ctx, []byte("first")); err != nil {
		t.Error(err)
	}
	if _, err := p.Call(ctx, []byte("second")); !errors.Is(err, offload.ErrBroken) || !strings.Contains(err.Error(), "request 2 got an answer to request 1") {
		t.Errorf("%v, want ErrBroken", err)
	}
}

func TestAnswerThatIsTooLarge(t *testing.T) {
	c := as("obedient")
	c.MaxAnswer = 5
	p := start(t, c, nil)
	if got, err := p.Call(ctx, []byte("echo 12345")); string(got) != "12345" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := p.Call(ctx, []byte("echo 123456")); !errors.Is(err, offload.ErrBroken) || !strings.Contains(err.Error(), "6 bytes") {
		t.Errorf("%v, want ErrBroken", err)
	}
	if _, err := start(t, as("liar"), nil).Call(ctx, []byte("x")); !errors.Is(err, offload.ErrBroken) {
		t.Errorf("%v, want ErrBroken", err)
	}
}

func TestChildThatDoesNotEndIsKilled(t *testing.T) {
	c := as("stubborn")
	c.Grace = 50 * time.Millisecond
	p := start(t, c, nil)
	if err := p.Close(); err == nil || !strings.Contains(err.Error(), "did not end") {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestCloseOfResourcesEndsAChildThatHangs(t *testing.T) {
	c := as("obedient")
	c.Grace = 50 * time.Millisecond
	r := newChildren(t, c, offload.Config{Workers: 2})
	result := make(chan error, 1)
	go func() {
		_, err := call(ctx, r, "sleep 1h")
		result <- err
	}()
	for r.Stats().Running == 0 {
		time.Sleep(time.Millisecond)
	}
	r.Close()
	if err := <-result; !errors.Is(err, offload.ErrClosed) {
		t.Error(err)
	}
	<-r.Done()
}

func FuzzServe(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(append(head(3, 0, 1), "abc"...))
	f.Add(head(1<<31, 1, 1))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		n := 0
		err := child.ServeOn(bytes.NewReader(in), &out, func(b []byte) ([]byte, error) { n += 16 + len(b); return b, nil })
		if (err == nil) != (n == len(in)) {
			t.Errorf("%v, after %d of %d bytes", err, n, len(in))
		}
		if !bytes.HasPrefix(out.Bytes(), head(0, 0, 0)) || out.Len() != 16+n {
			t.Errorf("%d bytes were taken, and %d answered", n, out.Len())
		}
	})
}
