package child_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/stash"
	"github.com/recycling-go/recycling/core/offload/task"
)

// The tasks of the test binary, which is its own child.
var (
	tasks task.Set

	empty = task.Register(&tasks, "empty", func(context.Context, struct{}) (struct{}, error) {
		return struct{}{}, nil
	}, task.Options{})
	echo = task.Register(&tasks, "echo", func(_ context.Context, b []byte) ([]byte, error) {
		return b, nil
	}, task.Options{Encoding: task.Bytes})
	sleep = task.Register(&tasks, "sleep", func(ctx context.Context, d time.Duration) (string, error) {
		select {
		case <-time.After(d):
			return "slept", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}, task.Options{})
	stubbornly = task.Register(&tasks, "stubbornly", func(_ context.Context, d time.Duration) (int, error) {
		time.Sleep(d)
		return os.Getpid(), nil
	}, task.Options{})
	pid = task.Register(&tasks, "pid", func(context.Context, struct{}) (int, error) {
		return os.Getpid(), nil
	}, task.Options{Idempotent: true})
	misbehave = task.Register(&tasks, "misbehave", func(_ context.Context, how string) (int, error) {
		switch how {
		case "panic":
			panic("at the disco")
		case "abort":
			panic(http.ErrAbortHandler)
		case "goexit":
			runtime.Goexit()
		case "exit":
			os.Exit(7)
		case "code":
			return 0, &task.Error{Code: "teapot", Message: "short and stout"}
		}
		return 0, errors.New(how)
	}, task.Options{})
	count = task.RegisterStream(&tasks, "count", func(ctx context.Context, n int, w io.Writer) error {
		for i := range n {
			if _, err := fmt.Fprintln(w, i); err != nil {
				return err
			}
		}
		return nil
	}, task.Options{})
	pour = task.RegisterStream(&tasks, "pour", func(ctx context.Context, n int64, w io.Writer) error {
		b := make([]byte, 100_000)
		for i := range b {
			b[i] = byte(i % 251)
		}
		for n > 0 {
			m := min(n, int64(len(b)))
			if _, err := w.Write(b[:m]); err != nil {
				return err
			}
			n -= m
		}
		return nil
	}, task.Options{})
	// endless writes until it gets an error, and then writes a file with the error's text.
	endless = task.RegisterStream(&tasks, "endless", func(_ context.Context, file string, w io.Writer) error {
		for {
			if _, err := w.Write([]byte("more ")); err != nil {
				os.WriteFile(file, []byte(err.Error()), 0o600)
				return err
			}
		}
	}, task.Options{})
	hoard = task.Register(&tasks, "hoard", func(_ context.Context, n int) (int, error) {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i)
		}
		hoarded = append(hoarded, b)
		return os.Getpid(), nil
	}, task.Options{})
	// tally appends its number to a file and takes a while; again is the same, and idempotent.
	tally = task.Register(&tasks, "tally", record, task.Options{})
	again = task.Register(&tasks, "again", record, task.Options{Idempotent: true})
	// stashing makes one call of the stash; sharing counts in it.
	stashing = task.Register(&tasks, "stashing", stashingOf, task.Options{})
	sharing  = task.Register(&tasks, "sharing", func(ctx context.Context, n int) (int, error) {
		for range n {
			if _, err := stash.ModifyJSON(ctx, child.Stash(nil), "count", 0, func(n int) (int, error) { return n + 1, nil }); err != nil {
				return 0, err
			}
		}
		return n, nil
	}, task.Options{})
	dies = task.Register(&tasks, "dies", func(_ context.Context, after time.Duration) (int, error) {
		time.Sleep(after)
		os.Exit(8)
		return 0, nil
	}, task.Options{Idempotent: true})
	gpu = task.Register(&tasks, "gpu", func(context.Context, struct{}) (int, error) {
		return os.Getpid(), nil
	}, task.Options{Slots: offload.Slots{"GPU": 1}})
	_ = task.Register(&tasks, "reluctant", func(context.Context, struct{}) (int, error) {
		return 0, nil
	}, task.Options{Warm: warm})
)

// hoarded is what the task hoard keeps.
var hoarded [][]byte

// A mark is the input of tally.
type mark struct {
	File   string
	Number int
}

func record(_ context.Context, in mark) (int, error) {
	f, err := os.OpenFile(in.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, in.Number)
	time.Sleep(time.Duration(in.Number%5) * time.Millisecond)
	return in.Number, err
}

// warm is as the environment wants it.
func warm(ctx context.Context) error {
	how := os.Getenv("WARM")
	switch how {
	case "":
		return nil
	case "panic":
		panic("too warm")
	case "goexit":
		runtime.Goexit()
	case "long":
		<-ctx.Done()
		return ctx.Err()
	}
	return errors.New(how)
}

// workers returns a Config with one group of n workers.
func workers(n int) child.Config {
	g := child.Group{Name: "all"}
	g.Workers, g.Wait, g.Backoff = n, time.Minute, time.Millisecond
	g.Failed = func(error) {}
	return child.Config{Tasks: &tasks, Groups: []child.Group{g}}
}

// open opens a place that is closed, and waited for, at the end of the test.
func open(t testing.TB, c child.Config) *child.Place {
	t.Helper()
	p, err := child.Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		select {
		case <-p.Done():
		case <-time.After(time.Minute):
			t.Errorf("the place is not done: %+v", p.Stats())
		}
	})
	return p
}

func TestTaskRunsInAChild(t *testing.T) {
	p := open(t, workers(2))
	got, err := pid.Do(ctx, p, struct{}{})
	if err != nil || got == os.Getpid() {
		t.Errorf("process %d, %v; this one is %d", got, err, os.Getpid())
	}
	large := []byte(strings.Repeat("0123456789abcdef", 1<<17))
	for _, in := range [][]byte{nil, []byte("x"), large, large[:64<<10], large[:1<<20], []byte("again")} {
		if out, err := echo.Do(ctx, p, in); err != nil || string(out) != string(in) {
			t.Errorf("%d bytes, %v; want %d", len(out), err, len(in))
		}
	}
}

func TestTaskMayEndInAnyWay(t *testing.T) {
	p := open(t, workers(1))
	_, err := misbehave.Do(ctx, p, "sad")
	var own *task.Error
	if !errors.As(err, &own) || *own != (task.Error{Task: "misbehave", Message: "sad"}) {
		t.Errorf("%#v", err)
	}
	if _, err := misbehave.Do(ctx, p, "code"); !errors.As(err, &own) || own.Code != "teapot" || own.Message != "short and stout" {
		t.Errorf("%#v", err)
	}
	before, _ := pid.Do(ctx, p, struct{}{})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		misbehave.Do(ctx, p, "goexit")
		t.Error("Do has returned")
	}()
	<-gone
	if v := recovered(func() { misbehave.Do(ctx, p, "abort") }); v != http.ErrAbortHandler {
		t.Errorf("%v", v)
	}
	if after, err := pid.Do(ctx, p, struct{}{}); after != before || err != nil {
		t.Errorf("process %d, %v; want the same, %d", after, err, before)
	}
	v, ok := recovered(func() { misbehave.Do(ctx, p, "panic") }).(*offload.Panic)
	if !ok || v.Value != "at the disco" || !strings.Contains(string(v.Stack), "child_test.init") {
		t.Errorf("%v", v)
	}
	eventually(t, "another child serves after a panic", func() bool {
		after, err := pid.Do(ctx, p, struct{}{})
		return after != before && err == nil
	})
	_, err = misbehave.Do(ctx, p, "exit")
	if !errors.Is(err, task.ErrLost) || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("%v, want ErrLost", err)
	}
}

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is still not so that %s", what)
		}
	}
}

func recovered(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func TestCanceledTaskEndsAndItsChildIsKept(t *testing.T) {
	p := open(t, workers(1))
	before, _ := pid.Do(ctx, p, struct{}{})
	for range 3 {
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		_, err := sleep.Do(short, p, time.Hour)
		cancel()
		if err != context.DeadlineExceeded {
			t.Errorf("%v, want DeadlineExceeded", err)
		}
		left, cancel := context.WithCancel(ctx)
		time.AfterFunc(20*time.Millisecond, cancel)
		if _, err := sleep.Do(left, p, time.Hour); err != context.Canceled {
			t.Errorf("%v, want Canceled", err)
		}
	}
	if after, err := pid.Do(ctx, p, struct{}{}); after != before || err != nil {
		t.Errorf("process %d, %v; want the same, %d", after, err, before)
	}
	if s := p.Stats()["all"]; s.Failed != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTaskThatIgnoresItsContextIsKilled(t *testing.T) {
	c := workers(1)
	c.Groups[0].Command.Grace = 50 * time.Millisecond
	p := open(t, c)
	before, _ := pid.Do(ctx, p, struct{}{})
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := stubbornly.Do(short, p, time.Hour); err != context.DeadlineExceeded {
		t.Errorf("%v, want DeadlineExceeded", err)
	}
	if after, err := pid.Do(ctx, p, struct{}{}); after == before || err != nil {
		t.Errorf("process %d, %v; want another one", after, err)
	}
	if s := p.Stats()["all"]; s.Failed != 1 {
		t.Errorf("%+v", s)
	}
}

func TestStream(t *testing.T) {
	p := open(t, workers(1))
	for _, n := range []int{0, 1, 10, 20_000} {
		var b, want strings.Builder
		for i := range n {
			fmt.Fprintln(&want, i)
		}
		if err := count.Do(ctx, p, n, &b); err != nil || b.String() != want.String() {
			t.Errorf("%d lines: %d bytes, %v; want %d", n, b.Len(), err, want.Len())
		}
	}
	if got, err := echo.Do(ctx, p, []byte("next")); string(got) != "next" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestStreamStopsWhenItsCallerLeaves(t *testing.T) {
	p := open(t, workers(1))
	before, _ := pid.Do(ctx, p, struct{}{})
	for name, do := range map[string]func(file string) error{
		"context": func(file string) error {
			ctx, cancel := context.WithCancel(ctx)
			return endless.Do(ctx, p, file, writer(func(b []byte) (int, error) { cancel(); return len(b), nil }))
		},
		"writer": func(file string) error {
			return endless.Do(ctx, p, file, writer(func([]byte) (int, error) { return 0, io.ErrClosedPipe }))
		},
	} {
		file := t.TempDir() + "/" + name
		want := map[string]error{"context": context.Canceled, "writer": io.ErrClosedPipe}[name]
		if err := do(file); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if after, err := pid.Do(ctx, p, struct{}{}); after != before || err != nil {
			t.Errorf("%s: process %d, %v; want the same, %d", name, after, err, before)
		}
		if got, _ := os.ReadFile(file); string(got) != task.ErrLeft.Error() {
			t.Errorf("%s: the task got %q, want ErrLeft", name, got)
		}
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

func TestOutputThatIsTooLargeIsAnError(t *testing.T) {
	c := workers(1)
	c.Groups[0].Command.MaxAnswer = 10
	p := open(t, c)
	if out, err := echo.Do(ctx, p, []byte("0123456789")); string(out) != "0123456789" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	_, err := echo.Do(ctx, p, []byte("0123456789a"))
	var own *task.Error
	if !errors.As(err, &own) || own.Code != child.CodeOutput || !strings.Contains(own.Message, "11 bytes") {
		t.Errorf("%v, want a task.Error with CodeOutput", err)
	}
	if s := p.Stats()["all"]; s.Failed != 0 {
		t.Errorf("%+v", s)
	}
}

// The error of a lost child must not look like that of a resource which the caller uses itself.
func TestLostChildIsNotTheCallersResource(t *testing.T) {
	p := open(t, workers(1))
	if _, err := misbehave.Do(ctx, p, "exit"); !errors.Is(err, task.ErrLost) || errors.Is(err, offload.ErrBroken) {
		t.Errorf("%v, want ErrLost without ErrBroken", err)
	}
}

// A writer that panics does so for the caller, and costs one child.
func TestWriterThatPanics(t *testing.T) {
	p := open(t, workers(1))
	v := recovered(func() { endless.Do(ctx, p, t.TempDir()+"/x", writer(func([]byte) (int, error) { panic("my writer") })) })
	if own, ok := v.(*offload.Panic); !ok || own.Value != "my writer" {
		t.Errorf("%v", v)
	}
	if _, err := pid.Do(ctx, p, struct{}{}); err != nil {
		t.Error(err)
	}
}

// The Timeout of the group is for all attempts together.
func TestTimeoutIsForAllAttempts(t *testing.T) {
	c := workers(1)
	c.Attempts = 1000
	c.Groups[0].Timeout = time.Second
	p := open(t, c)
	begin := time.Now()
	if _, err := dies.Do(ctx, p, 300*time.Millisecond); err != context.DeadlineExceeded {
		t.Errorf("%v, want DeadlineExceeded", err)
	}
	if d := time.Since(begin); d < time.Second {
		t.Errorf("it has returned after %v", d)
	}
}
