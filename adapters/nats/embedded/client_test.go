package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
	"github.com/recycling-go/recycling/core/offload/task"
)

// connect returns a client of an embedded server that ends with the test.
func connect(t testing.TB, c recyclingnats.Config) *recyclingnats.Client {
	t.Helper()
	c.Embedded = embedded.Start
	if c.Wait == 0 {
		c.Wait = 30 * time.Second // the machine may be busy
	}
	client, err := recyclingnats.Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// serve runs a worker until the test ends.
func serve(t testing.TB, client *recyclingnats.Client, tasks *task.Set, wc recyclingnats.WorkerConfig) *recyclingnats.Worker {
	t.Helper()
	w, cancel, done := run(t, client, tasks, wc)
	select {
	case <-w.Ready():
	case err := <-done:
		cancel()
		t.Fatalf("the worker has ended: %v", err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

// run runs a worker until cancel is called. What Run returns is sent to done.
func run(t testing.TB, client *recyclingnats.Client, tasks *task.Set, wc recyclingnats.WorkerConfig) (
	w *recyclingnats.Worker, cancel context.CancelFunc, done <-chan error,
) {
	t.Helper()
	w, err := client.NewWorker(tasks, wc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	return w, cancel, ended
}

func TestCall(t *testing.T) {
	var tasks task.Set
	double := task.Register(&tasks, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil }, task.Options{})
	client := connect(t, recyclingnats.Config{})
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if n, err := double.Do(ctx, client, 21); n != 42 || err != nil {
		t.Fatalf("got %d, %v; want 42", n, err)
	}
}

func TestEnqueue(t *testing.T) {
	var tasks task.Set
	double := task.Register(&tasks, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil }, task.Options{})
	client := connect(t, recyclingnats.Config{})
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	id, err := recyclingnats.Enqueue(t.Context(), client, double, 21, recyclingnats.EnqueueOptions{Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	await(t, client, id, recyclingnats.Done)
	out, err := client.Result(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := double.Decode(out); n != 42 || err != nil {
		t.Fatalf("got %d, %v; want 42", n, err)
	}
}

// await waits until a task has a state.
func await(t testing.TB, client *recyclingnats.Client, id string, want recyclingnats.State) recyclingnats.Status {
	t.Helper()
	limit := time.Now().Add(30 * time.Second)
	for {
		s, err := client.Status(t.Context(), id)
		if err == nil && s.State == want {
			return s
		}
		if time.Now().After(limit) {
			t.Fatalf("state of %s is %+v, %v; want %s", id, s, err, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

var names atomic.Uint64

// nextName returns a name that has not been used.
func nextName() string { return fmt.Sprint("test", names.Add(1)) }

// startWorker runs a worker until the function that it returns is called.
func startWorker(t testing.TB, client *recyclingnats.Client, tasks *task.Set, wc recyclingnats.WorkerConfig) (stop func()) {
	t.Helper()
	_, cancel, done := run(t, client, tasks, wc)
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Log(err)
		}
	}
}

// objects returns how many objects a bucket has.
func objects(t testing.TB, client *recyclingnats.Client, bucket string) int {
	t.Helper()
	js, err := jetstream.New(client.Conn())
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.ObjectStore(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.List(t.Context())
	if err != nil && !errors.Is(err, jetstream.ErrNoObjectsFound) {
		t.Fatal(err)
	}
	return len(list)
}
