package task

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

var errOwn = errors.New("own")

// endings are ways in which a function can end, by name.
var endings = map[string]struct {
	f    func() error
	want Outcome
}{
	"nil":            {func() error { return nil }, Outcome{Kind: Returned}},
	"error":          {func() error { return errOwn }, Outcome{Kind: Failed, Message: "own"}},
	"coded":          {func() error { return &Error{Code: "c", Message: "m"} }, Outcome{Kind: Failed, Code: "c", Message: "m"}},
	"wrapped coded":  {func() error { return fmt.Errorf("w: %w", &Error{Code: "c", Message: "m"}) }, Outcome{Kind: Failed, Code: "c", Message: "m"}},
	"canceled":       {func() error { return fmt.Errorf("w: %w", context.Canceled) }, Outcome{Kind: Canceled, Message: "w: context canceled"}},
	"deadline":       {func() error { return context.DeadlineExceeded }, Outcome{Kind: TimedOut, Message: "context deadline exceeded"}},
	"panic":          {func() error { panic("p") }, Outcome{Kind: Panicked, Message: "p"}},
	"panic of error": {func() error { panic(errOwn) }, Outcome{Kind: Panicked, Message: "own"}},
	"abort":          {func() error { panic(http.ErrAbortHandler) }, Outcome{Kind: Aborted}},
	"exit":           {func() error { runtime.Goexit(); return nil }, Outcome{Kind: Exited}},
	"bad panic":      {func() error { panic(badStringer{}) }, Outcome{Kind: Panicked, Message: "%!v(PANIC=String method: worse)"}},
}

type badStringer struct{}

func (badStringer) String() string { panic("worse") }

// setOf returns a Set with a Task and a Stream for each of endings.
func setOf() *Set {
	var s Set
	for name, e := range endings {
		name = strings.ReplaceAll(name, " ", "-")
		Register(&s, name, func(context.Context, int) (string, error) { return "out", e.f() }, Options{})
		RegisterStream(&s, name+"-stream", func(_ context.Context, _ int, w io.Writer) error {
			io.WriteString(w, "chunk")
			return e.f()
		}, Options{})
	}
	return &s
}

func TestSetRunReportsEveryEnding(t *testing.T) {
	s := setOf()
	for name, e := range endings {
		for _, suffix := range []string{"", "-stream"} {
			var w bytes.Buffer
			got := s.Run(t.Context(), strings.ReplaceAll(name, " ", "-")+suffix, []byte("1"), &w)
			if (got.Stack != nil) != (got.Kind == Panicked) || got.Kind == Panicked && !bytes.Contains(got.Stack, []byte("outcome_test.go")) {
				t.Errorf("%s%s: the stack is %s", name, suffix, got.Stack)
			}
			want := e.want
			got.Stack = nil
			if want.Kind == Returned && suffix == "" {
				want.Output = []byte(`"out"`)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s%s: the outcome is %+v, want %+v", name, suffix, got, want)
			}
			if stream := suffix != ""; stream != (w.String() == "chunk") {
				t.Errorf("%s%s: it wrote %q", name, suffix, w.String())
			}
		}
	}
}

func TestSetRunChecksNameAndInput(t *testing.T) {
	s := setOf()
	if o := s.Run(t.Context(), "stranger", nil, nil); o.Kind != Unknown {
		t.Errorf("the outcome is %+v", o)
	}
	for _, name := range []string{"nil", "nil-stream"} {
		if o := s.Run(t.Context(), name, []byte("{"), io.Discard); o.Kind != Failed || o.Code != CodeInput || o.Message == "" {
			t.Errorf("%s: the outcome is %+v", name, o)
		}
	}
	var empty Set
	if o := empty.Run(t.Context(), "", nil, nil); o.Kind != Unknown {
		t.Errorf("the outcome is %+v", o)
	}
}

func TestSetRunPassesTheContext(t *testing.T) {
	var s Set
	type key struct{}
	Register(&s, "a", func(ctx context.Context, _ int) (any, error) { return ctx.Value(key{}), ctx.Err() }, Options{})
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	if o := s.Run(ctx, "a", []byte("1"), nil); string(o.Output) != `"value"` {
		t.Errorf("the outcome is %+v", o)
	}
	cancel()
	if o := s.Run(ctx, "a", []byte("1"), nil); o.Kind != Canceled {
		t.Errorf("the outcome is %+v", o)
	}
}

func TestOutcomeSurvivesJSON(t *testing.T) {
	for k := range numKinds {
		o := Outcome{Kind: k, Output: []byte{0, 255}, Code: "c", Message: "m\x00ü", Stack: []byte("s")}
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var got Outcome
		if err := json.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got, o) {
			t.Errorf("got %+v, %v from %s", got, err, b)
		}
	}
}

// remote is a Place that ends jobs with an Outcome, as a worker elsewhere does.
type remote struct{ Outcome }

func (r remote) Do(_ context.Context, j *Job) error {
	if j.Streams() && r.Output != nil {
		j.Write(r.Output)
	}
	return j.Finish(r.Outcome)
}

var (
	outcomeTasks  Set
	outcomeTask   = Register(&outcomeTasks, "task", func(context.Context, int) (string, error) { panic("not here") }, Options{})
	outcomeStream = RegisterStream(&outcomeTasks, "stream", func(context.Context, int, io.Writer) error { panic("not here") }, Options{})
)

// finish calls f on a goroutine of its own and says how it ended.
func finish(f func() error) (panicked any, exited bool, err error) {
	done := make(chan struct{})
	exited = true
	go func() {
		defer close(done)
		defer func() {
			if panicked = recover(); panicked != nil {
				exited = false
			}
		}()
		err = f()
		exited = false
	}()
	<-done
	return panicked, exited, err
}

func TestFinishDoesWhatTheTaskDid(t *testing.T) {
	call := func(o Outcome) (string, any, bool, error) {
		var out string
		p, exited, err := finish(func() (err error) {
			out, err = outcomeTask.Do(t.Context(), remote{o}, 1)
			return err
		})
		return out, p, exited, err
	}
	if out, _, _, err := call(Outcome{Kind: Returned, Output: []byte(`"x"`)}); out != "x" || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
	if out, _, _, err := call(Outcome{Kind: Returned, Output: []byte(`{`)}); out != "" || err == nil {
		t.Errorf("got %q, %v", out, err)
	}
	var own *Error
	if _, _, _, err := call(Outcome{Kind: Failed, Code: "c", Message: "m"}); !errors.As(err, &own) || *own != (Error{Task: "task", Code: "c", Message: "m"}) || own.Unwrap() != nil {
		t.Errorf("got %#v", err)
	}
	if _, _, _, err := call(Outcome{Kind: Canceled}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, _, _, err := call(Outcome{Kind: TimedOut}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, p, _, _ := call(Outcome{Kind: Panicked, Message: "p", Stack: []byte("s")}); !reflect.DeepEqual(p, &offload.Panic{Value: "p", Stack: []byte("s")}) {
		t.Errorf("got %#v", p)
	}
	if _, p, _, _ := call(Outcome{Kind: Aborted}); p != http.ErrAbortHandler {
		t.Errorf("got %v", p)
	}
	if _, _, exited, _ := call(Outcome{Kind: Exited}); !exited {
		t.Error("it did not exit")
	}
	if _, _, _, err := call(Outcome{Kind: Unknown}); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v", err)
	}
	for _, k := range []Kind{numKinds, 255} {
		if _, _, _, err := call(Outcome{Kind: k}); err == nil || !strings.Contains(err.Error(), fmt.Sprint(uint8(k))) {
			t.Errorf("kind %d: got %v", k, err)
		}
	}
}

// FuzzFinish feeds the caller's side with the answers of a broken worker. Whatever they are, a call
// ends in one of the ways that Do promises, and Returned is the only one without an error.
func FuzzFinish(f *testing.F) {
	for k := range numKinds + 1 {
		b, _ := json.Marshal(Outcome{Kind: k, Output: []byte(`"x"`), Code: "c", Message: "m"})
		f.Add(b)
	}
	for _, text := range []string{``, `null`, `[]`, `{"kind":-1}`, `{"kind":256}`, `{"kind":0,"output":"!"}`, `{"kind":"0"}`, `{"kind":0,"output":null}`, `{"kind":4,"stack":"AAAA"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		var o Outcome
		if json.Unmarshal(answer, &o) != nil {
			return
		}
		for _, do := range []func() error{
			func() error { _, err := outcomeTask.Do(context.Background(), remote{o}, 1); return err },
			func() error { return outcomeStream.Do(context.Background(), remote{o}, 1, io.Discard) },
		} {
			p, exited, err := finish(do)
			switch p := p.(type) {
			case nil:
			case *offload.Panic:
				if o.Kind != Panicked || p.Value != o.Message {
					t.Errorf("%s: panic %v", answer, p.Value)
				}
			default:
				if p != http.ErrAbortHandler || o.Kind != Aborted {
					t.Errorf("%s: panic %v", answer, p)
				}
			}
			if exited != (o.Kind == Exited) {
				t.Errorf("%s: exited: %v", answer, exited)
			}
			if err == nil && p == nil && !exited && o.Kind != Returned {
				t.Errorf("%s: no error", answer)
			}
		}
	})
}

// A worker in another process may reach the deadline of a call before its caller.
func TestTaskWhoseCallerHasLeftAtTheDeadlineHasTimedOut(t *testing.T) {
	var s Set
	RegisterStream(&s, "a", func(_ context.Context, _ int, w io.Writer) error {
		_, err := w.Write([]byte("a"))
		return fmt.Errorf("writing: %w", err)
	}, Options{})
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancelLate()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		want Kind
	}{{late, TimedOut}, {canceled, Failed}, {t.Context(), Failed}} {
		o := s.Run(c.ctx, "a", []byte("1"), leftWriter{})
		if want := "writing: task: caller has left"; o.Kind != c.want || o.Kind == TimedOut && o.Message != want {
			t.Errorf("with %v: %+v, want kind %d", c.ctx.Err(), o, c.want)
		}
	}
}

type leftWriter struct{}

func (leftWriter) Write([]byte) (int, error) { return 0, ErrLeft }
