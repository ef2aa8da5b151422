package task_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

// A placeFunc is a place.
type placeFunc func(context.Context, *task.Job) error

func (f placeFunc) Do(ctx context.Context, j *task.Job) error { return f(ctx, j) }

func TestRunAtHasTheOutcomeOfThePlace(t *testing.T) {
	var tasks task.Set
	task.Register(&tasks, "double", func(_ context.Context, n int) (int, error) {
		switch n {
		case 0:
			return 0, &task.Error{Code: "zero", Message: "nothing to double"}
		case -1:
			panic("negative")
		case -2:
			panic(http.ErrAbortHandler)
		case -3:
			runtime.Goexit()
		}
		return 2 * n, nil
	}, task.Options{})
	task.RegisterStream(&tasks, "write", func(_ context.Context, s string, w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}, task.Options{})
	pool, err := offload.New(offload.Config{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	local := task.Local(pool)
	fails := func(err error) task.Place {
		return placeFunc(func(context.Context, *task.Job) error { return err })
	}
	for _, c := range []struct {
		place       task.Place
		name, input string
		want        task.Outcome // its Message is part of the message
	}{
		{local, "double", "21", task.Outcome{Kind: task.Returned, Output: []byte("42")}},
		{local, "double", "0", task.Outcome{Kind: task.Failed, Code: "zero", Message: "nothing to double"}},
		{local, "double", `"x"`, task.Outcome{Kind: task.Failed, Code: task.CodeInput}},
		{local, "double", "-1", task.Outcome{Kind: task.Panicked, Message: "negative"}},
		{local, "double", "-2", task.Outcome{Kind: task.Aborted}},
		{local, "double", "-3", task.Outcome{Kind: task.Exited}},
		{local, "absent", "1", task.Outcome{Kind: task.Unknown}},
		{local, "write", `"abc"`, task.Outcome{Kind: task.Returned}},
		{fails(fmt.Errorf("%w: killed", task.ErrLost)), "double", "1", task.Outcome{Kind: task.Lost, Message: "killed"}},
		{fails(context.Canceled), "double", "1", task.Outcome{Kind: task.Canceled}},
		{fails(task.ErrUnknown), "double", "1", task.Outcome{Kind: task.Unknown}},
		{fails(errors.New("no room")), "double", "1", task.Outcome{Kind: task.Failed, Message: "no room"}},
	} {
		var w strings.Builder
		o := tasks.RunAt(t.Context(), c.place, c.name, []byte(c.input), &w)
		if o.Kind != c.want.Kind || string(o.Output) != string(c.want.Output) || o.Code != c.want.Code ||
			!strings.Contains(o.Message, c.want.Message) {
			t.Errorf("%s(%s): got %+v, want %+v", c.name, c.input, o, c.want)
		}
		if c.name == "write" && w.String() != "abc" {
			t.Errorf("the stream is %q, want abc", w.String())
		}
	}
}

// The caller leaves while the task returns. The race detector sees if both use the output.
func TestRunAtLeavesTheOutputOfALateTask(t *testing.T) {
	var tasks task.Set
	task.Register(&tasks, "late", func(ctx context.Context, _ int) (int, error) {
		<-ctx.Done()
		for range 10 {
			runtime.Gosched()
		}
		return 1, nil
	}, task.Options{})
	pool, err := offload.New(offload.Config{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		o := tasks.RunAt(ctx, task.Local(pool), "late", []byte("1"), nil)
		if o.Kind != task.Returned && o.Output != nil {
			t.Errorf("%+v", o)
		}
	}
	pool.Close()
	<-pool.Done()
}
