package embedded_test

import (
	"context"
	"testing"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
	"github.com/recycling-go/recycling/core/offload/task/tasktest"
)

// shared is a server that several clients use, so Close of a client does not end it.
type shared struct{ recyclingnats.Server }

func (shared) Close() {}

// start returns a server in memory that ends with the test, as the field Embedded wants it.
func start(t testing.TB) func(string) (recyclingnats.Server, error) {
	t.Helper()
	s, err := embedded.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return func(string) (recyclingnats.Server, error) { return shared{s}, nil }
}

func TestPlace(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Target{
		Name: "embedded",
		Start: func(t testing.TB, c offload.Config) *tasktest.Instance {
			return instance(t, recyclingnats.Config{Embedded: start(t)}, c)
		},
	})
}

// instance starts a client and a worker with connections of their own.
func instance(t testing.TB, c recyclingnats.Config, o offload.Config) *tasktest.Instance {
	return instanceAt(t, c, o, nil)
}

// instanceAt is instance with the place where the worker runs the tasks.
func instanceAt(t testing.TB, c recyclingnats.Config, o offload.Config, p task.Place) *tasktest.Instance {
	t.Helper()
	c.Queue, c.Wait, c.Timeout, c.RetryAfter = o.Queue, o.Wait, o.Timeout, o.RetryAfter
	client, err := recyclingnats.Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	there, err := recyclingnats.Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	w, err := there.NewWorker(&tasktest.Tasks, recyclingnats.WorkerConfig{Workers: o.Workers, Slots: o.Slots, Place: p})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
		there.Close()
	}()
	select {
	case <-w.Ready():
	case <-done:
	}
	return &tasktest.Instance{
		Place: client,
		Shutdown: func(ctx context.Context) error {
			err := client.Shutdown(ctx)
			if err == nil {
				cancel()
			}
			return err
		},
		Close: func() {
			client.Close()
			cancel()
		},
		Done: done,
	}
}
