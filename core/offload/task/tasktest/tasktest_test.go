package tasktest_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"io"
	"os"
	"testing"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
	"github.com/recycling-go/recycling/core/offload/task/tasktest"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

func TestMain(m *testing.M) {
	os.Exit(leak.Main(m, "core/offload", "alitto/pond"))
}

func TestLocal(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Local())
}

func TestPools(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Target{Name: "pools", InProcess: true, Start: func(t testing.TB, c offload.Config) *tasktest.Instance {
		p, err := task.NewPools(t.Context(), &tasktest.Tasks, task.PoolConfig{Name: "all", Config: c})
		if err != nil {
			t.Fatal(err)
		}
		return &tasktest.Instance{Place: p, Shutdown: p.Shutdown, Close: p.Close, Done: p.Done()}
	}})
}

func TestEncoded(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Target{Name: "encoded", Start: startEncoded(mistakes{})})
}

// An encoded is a place in this process whose workers get and return bytes, as if they were
// elsewhere. It is the smallest place that is not Local.
type encoded struct {
	*offload.Pool
	mistakes
}

// mistakes are what an encoded does wrong. The zero value means nothing.
type mistakes struct {
	silent  bool                                         // it does not call Job.Begin
	context func(context.Context) context.Context        // changes the task's context
	writer  func(io.Writer) (w io.Writer, finish func()) // changes what a stream writes to
	outcome func(o *task.Outcome)                        // changes the outcome
	err     func(error) error                            // changes the error of a call
}

func (p encoded) Do(ctx context.Context, j *task.Job) error {
	err := p.run(ctx, j)
	if p.err != nil {
		err = p.err(err)
	}
	return err
}

func (p encoded) run(ctx context.Context, j *task.Job) error {
	input, err := j.Input()
	if err != nil {
		return err
	}
	pool, err := p.Pool.With(j.Options().Slots)
	if err != nil {
		return err
	}
	answer, err := offload.Do(ctx, pool, func(ctx context.Context) ([]byte, error) {
		if !p.silent {
			j.Begin()
		}
		if p.context != nil {
			ctx = p.context(ctx)
		}
		w, finish := io.Writer(j), func() {}
		if p.writer != nil {
			w, finish = p.writer(w)
		}
		o := tasktest.Tasks.Run(ctx, j.Name(), input, w)
		finish()
		var b bytes.Buffer
		err := gob.NewEncoder(&b).Encode(o)
		return b.Bytes(), err
	})
	if err != nil {
		return err
	}
	var o task.Outcome
	if err := gob.NewDecoder(bytes.NewReader(answer)).Decode(&o); err != nil {
		return err
	}
	if p.outcome != nil {
		p.outcome(&o)
	}
	return j.Finish(o)
}

func startEncoded(m mistakes) func(testing.TB, offload.Config) *tasktest.Instance {
	return func(t testing.TB, c offload.Config) *tasktest.Instance {
		p, err := offload.New(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := tasktest.Tasks.Warm(t.Context(), tasktest.Tasks.Names()...); err != nil {
			t.Fatal(err)
		}
		return &tasktest.Instance{Place: encoded{p, m}, Shutdown: p.Shutdown, Close: p.Close, Done: p.Done()}
	}
}
