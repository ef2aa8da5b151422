package embedded_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

func TestWhileNATSIsAwayTasksAreShed(t *testing.T) {
	t.Parallel()
	options := server.Options{
		Host: "127.0.0.1", Port: freePorts(t, 1)[0], JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	}
	open := func() *embedded.Server {
		s, err := embedded.StartOptions(options.Clone())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	var tasks task.Set
	double := task.Register(&tasks, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil }, task.Options{})
	c := recyclingnats.Config{URL: s.URL(), Wait: 2 * time.Second, RetryAfter: 5 * time.Second}
	client, err := recyclingnats.Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	id := enqueue(t, client, double, 1, "before")
	await(t, client, id, recyclingnats.Done)
	s.Close()
	away := func(err error) {
		t.Helper()
		if !errors.Is(err, recyclingnats.ErrAway) || offload.RetryAfter(err) != "5" {
			t.Errorf("error is %v, want ErrAway and a time to retry after", err)
		}
	}
	_, err = double.Do(t.Context(), client, 1)
	away(err)
	_, err = recyclingnats.Enqueue(t.Context(), client, double, 1, recyclingnats.EnqueueOptions{})
	away(err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := double.Do(ctx, client, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want that of the context", err)
	}
	s = open() // what was in memory is gone
	defer func() { s.Close() }()
	limit := time.Now().Add(30 * time.Second)
	for {
		n, err := double.Do(t.Context(), client, 21)
		if err == nil && n == 42 {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("after NATS has come back, a call got %d, %v", n, err)
		}
	}
	if again := enqueue(t, client, double, 1, "before"); again != id {
		t.Errorf("id is %s, want %s", again, id)
	}
	await(t, client, enqueue(t, client, double, 1, "after"), recyclingnats.Done)
}

func TestConnectWaitsForNATS(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := recyclingnats.Connect(ctx, recyclingnats.Config{URL: "nats://me:secret@127.0.0.1:1"})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error is %v, want that of the context", err)
	}
	if s := err.Error(); !strings.Contains(s, "127.0.0.1:1") || strings.Contains(s, "secret") {
		t.Errorf("error is %q, want the address without the password", s)
	}
}

// Nodes of a cluster are restarted one after the other, while tasks are enqueued and done.
func TestClusterRestartsLoseNoTask(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long")
	}
	t.Parallel()
	var tasks task.Set
	double := task.Register(&tasks, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil }, task.Options{})
	cl := startCluster(t)
	client, err := recyclingnats.Connect(t.Context(), recyclingnats.Config{
		URL: cl.url(), Replicas: 3, BacklogBytes: 16 << 20, Wait: 5 * time.Second, AckWait: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	restarted := make(chan struct{})
	go func() {
		defer close(restarted)
		for i := range cl.servers {
			cl.stop(i)
			cl.start(t, i)
		}
	}()
	var ids []string
	refused := 0
	for i := 0; ; i++ {
		id, err := recyclingnats.Enqueue(t.Context(), client, double, i, recyclingnats.EnqueueOptions{})
		var shed *offload.ShedError
		switch {
		case err == nil:
			ids = append(ids, id)
		case errors.As(err, &shed):
			refused++
		default:
			t.Fatal(err)
		}
		select {
		case <-restarted:
		default:
			continue
		}
		break
	}
	for _, id := range ids {
		await(t, client, id, recyclingnats.Done)
	}
	t.Logf("%d tasks done, %d refused", len(ids), refused)
}

func TestServerThatIsTooSmallIsAnError(t *testing.T) {
	t.Parallel()
	s, err := embedded.StartOptions(&server.Options{
		DontListen: true, JetStream: true, JetStreamMaxMemory: 32 << 20, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	client, err := recyclingnats.Connect(t.Context(), recyclingnats.Config{
		Embedded: func(string) (recyclingnats.Server, error) { return shared{s}, nil }, BacklogBytes: 10 << 20,
	})
	if err == nil {
		client.Close()
		t.Fatal("connected to a server that cannot store the streams")
	}
	if !strings.Contains(err.Error(), "BacklogBytes is 10485760") {
		t.Errorf("error is %v, want the field and its value", err)
	}
}
