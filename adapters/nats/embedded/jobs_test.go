package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

func enqueue[In, Out any](t testing.TB, client *recyclingnats.Client, tk *task.Task[In, Out], in In, key string) string {
	t.Helper()
	id, err := recyclingnats.Enqueue(t.Context(), client, tk, in, recyclingnats.EnqueueOptions{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestKeyIsDoneOnce(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	var runs atomic.Int64
	count := task.Register(&tasks, "count", func(context.Context, int) (int64, error) { return runs.Add(1), nil }, task.Options{})
	client := connect(t, recyclingnats.Config{})
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	var all sync.WaitGroup
	ids := make(chan string, 100)
	for range cap(ids) {
		all.Go(func() {
			id, err := recyclingnats.Enqueue(t.Context(), client, count, 1, recyclingnats.EnqueueOptions{Key: "k"})
			if err != nil {
				t.Error(err)
			}
			ids <- id
		})
	}
	all.Wait()
	close(ids)
	first := <-ids
	for id := range ids {
		if id != first {
			t.Fatalf("ids are %s and %s, want one", first, id)
		}
	}
	await(t, client, first, recyclingnats.Done)
	for range 10 {
		if id := enqueue(t, client, count, 2, "k"); id != first {
			t.Fatalf("id is %s, want %s", id, first)
		}
	}
	other := enqueue(t, client, count, 1, "another")
	await(t, client, other, recyclingnats.Done)
	if n := runs.Load(); n != 2 {
		t.Errorf("2 keys ran %d times", n)
	}
}

func TestEverythingRestarts(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	var runs atomic.Int64
	count := task.Register(&tasks, "count", func(context.Context, int) (int64, error) { return runs.Add(1), nil }, task.Options{})
	dir := t.TempDir()
	// with does f with a client and, if work is set, a worker, and ends them.
	with := func(work bool, f func(*recyclingnats.Client)) {
		t.Helper()
		client, err := recyclingnats.Connect(t.Context(), recyclingnats.Config{Embedded: embedded.Start, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if work {
			defer startWorker(t, client, &tasks, recyclingnats.WorkerConfig{})()
		}
		f(client)
	}
	var ids []string
	with(false, func(client *recyclingnats.Client) {
		for _, key := range []string{"", "", "a", "b", "a"} {
			ids = append(ids, enqueue(t, client, count, 1, key))
		}
	})
	with(true, func(client *recyclingnats.Client) {
		for _, id := range ids {
			await(t, client, id, recyclingnats.Done)
		}
	})
	with(true, func(client *recyclingnats.Client) {
		if id := enqueue(t, client, count, 1, "a"); id != ids[2] {
			t.Errorf("id is %s, want %s", id, ids[2])
		}
		for _, id := range ids {
			if _, err := client.Result(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
	})
	if n := runs.Load(); n != 4 {
		t.Errorf("ran %d times, want 4", n)
	}
}

func TestTaskThatFailsBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	var runs, broken atomic.Int64
	broken.Store(1)
	fragile := task.Register(&tasks, "fragile", func(context.Context, int) (int, error) {
		runs.Add(1)
		if broken.Load() != 0 {
			return 0, &task.Error{Code: "broken", Message: "it is\nbroken"}
		}
		return 7, nil
	}, task.Options{})
	client := connect(t, recyclingnats.Config{Attempts: 3, Backoff: time.Millisecond})
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	id := enqueue(t, client, fragile, 1, "")
	s := await(t, client, id, recyclingnats.Dead)
	if s.Attempt != 3 || s.Code != "broken" || s.Message != "it is\nbroken" || runs.Load() != 3 {
		t.Errorf("status is %+v after %d runs", s, runs.Load())
	}
	var own *task.Error
	if _, err := client.Result(t.Context(), id); !errors.As(err, &own) || own.Code != "broken" {
		t.Errorf("result is the error %v", err)
	}
	list := letters(t, client)
	if len(list) != 1 || list[0].ID != id || list[0].Attempts != 3 || list[0].Code != "broken" || list[0].Task != "fragile" {
		t.Fatalf("dead letters are %+v", list)
	}
	broken.Store(0)
	if err := client.RetryDead(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if s := await(t, client, id, recyclingnats.Done); s.Attempt != 1 {
		t.Errorf("status is %+v, want the first attempt", s)
	}
	if list := letters(t, client); len(list) != 0 {
		t.Errorf("dead letters are %+v, want none", list)
	}
	if err := client.RetryDead(t.Context(), id); !errors.Is(err, recyclingnats.ErrNotFound) {
		t.Errorf("retrying what is done: %v", err)
	}
}

func letters(t testing.TB, client *recyclingnats.Client) []recyclingnats.DeadLetter {
	t.Helper()
	list, err := client.Dead(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestDeadLettersAreListedInPagesAndDeleted(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	fails := task.Register(&tasks, "fails", func(context.Context, int) (int, error) { return 0, errors.New("no") }, task.Options{})
	client := connect(t, recyclingnats.Config{Attempts: 1})
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	for range 5 {
		await(t, client, enqueue(t, client, fails, 1, ""), recyclingnats.Dead)
	}
	var ids []string
	from := uint64(0)
	for {
		list, err := client.Dead(t.Context(), from, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, l := range list {
			ids = append(ids, l.ID)
			from = l.Sequence + 1
		}
	}
	if len(ids) != 5 {
		t.Fatalf("listed %d letters, want 5", len(ids))
	}
	for _, id := range ids {
		if err := client.DeleteDead(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if list := letters(t, client); len(list) != 0 {
		t.Errorf("dead letters are %+v, want none", list)
	}
}

func TestInputThatCannotBeDecodedIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	number := task.Register(&tasks, "number", func(_ context.Context, n int) (int, error) { return n, nil }, task.Options{})
	client := connect(t, recyclingnats.Config{})
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	id, err := client.Enqueue(t.Context(), number, []byte(`"no number"`), recyclingnats.EnqueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s := await(t, client, id, recyclingnats.Dead); s.Attempt != 1 || s.Code != task.CodeInput {
		t.Errorf("status is %+v, want one attempt", s)
	}
}

func TestLargeInputsAndResultsAreObjects(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	twice := task.Register(&tasks, "twice", func(_ context.Context, b []byte) ([]byte, error) {
		if len(b) == 0 {
			return nil, errors.New("empty")
		}
		return append(bytes.Clone(b), b...), nil
	}, task.Options{Encoding: task.Bytes})
	client := connect(t, recyclingnats.Config{})
	stop := startWorker(t, client, &tasks, recyclingnats.WorkerConfig{})
	defer func() { stop() }()
	in := bytes.Repeat([]byte("0123456789"), 300_000)
	id := enqueue(t, client, twice, in, "large")
	await(t, client, id, recyclingnats.Done)
	out, err := client.Result(t.Context(), id)
	if err != nil || !bytes.Equal(out, append(bytes.Clone(in), in...)) {
		t.Fatalf("got %d bytes, %v; want %d", len(out), err, 2*len(in))
	}
	// A second one with the same key leaves nothing behind, queued or done.
	enqueue(t, client, twice, in, "large")
	stop()
	stop = func() {}
	queued := enqueue(t, client, twice, in, "queued")
	enqueue(t, client, twice, in, "queued")
	inputs := objects(t, client, "tasks-inputs")
	if inputs != 1 {
		t.Errorf("there are %d inputs, want that of the queued task", inputs)
	}
	if n, err := client.Sweep(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("swept %d inputs, %v; want none", n, err)
	}
	stop = startWorker(t, client, &tasks, recyclingnats.WorkerConfig{})
	await(t, client, queued, recyclingnats.Done)
	limit := time.Now().Add(10 * time.Second)
	for objects(t, client, "tasks-inputs") > 0 {
		if time.Now().After(limit) {
			t.Fatal("the input of a task that is done is still there")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestBacklogThatIsFullSheds(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	number := task.Register(&tasks, "number", func(_ context.Context, n int) (int, error) { return n, nil }, task.Options{})
	client := connect(t, recyclingnats.Config{Backlog: 3, RetryAfter: 9 * time.Second})
	for i := range 3 {
		enqueue(t, client, number, i, "")
	}
	_, err := recyclingnats.Enqueue(t.Context(), client, number, 3, recyclingnats.EnqueueOptions{})
	if !errors.Is(err, offload.ErrFull) || offload.RetryAfter(err) != "9" {
		t.Errorf("error is %v, want ErrFull and a time to retry after", err)
	}
	list, err := client.Backlog(t.Context())
	if err != nil || len(list) != 1 || list[0].Enqueued != 3 || list[0].Task != "number" || list[0].Oldest <= 0 {
		t.Errorf("backlog is %+v, %v", list, err)
	}
}

func TestWorkerThatEndsGivesItsTaskBack(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	begun := make(chan context.Context, 2)
	let := make(chan bool, 1)
	held := task.Register(&tasks, "held", func(ctx context.Context, _ int) (int, error) {
		begun <- ctx
		select {
		case <-let:
			return 5, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}, task.Options{})
	client := connect(t, recyclingnats.Config{})
	stop := startWorker(t, client, &tasks, recyclingnats.WorkerConfig{Grace: -1})
	id := enqueue(t, client, held, 1, "k")
	<-begun
	start := time.Now()
	stop()
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	<-begun
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("it took %v until the task ran again; AckWait is 30 s", d)
	}
	let <- true
	if s := await(t, client, id, recyclingnats.Done); s.Attempt != 1 {
		t.Errorf("status is %+v, want one attempt", s)
	}
}

func TestWorkerThatIsLostLosesNoTask(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	begun := make(chan bool, 2)
	let := make(chan int)
	held := task.Register(&tasks, "held", func(context.Context, int) (int, error) {
		begun <- true
		return <-let, nil
	}, task.Options{})
	c := recyclingnats.Config{Embedded: start(t), AckWait: time.Second}
	open := func() *recyclingnats.Client {
		client, err := recyclingnats.Connect(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		return client
	}
	client, far := open(), open()
	stop := startWorker(t, far, &tasks, recyclingnats.WorkerConfig{Grace: -1})
	id := enqueue(t, client, held, 1, "")
	<-begun
	far.Conn().Close() // the task continues, but nobody can hear it
	defer stop()
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	<-begun
	let <- 1
	let <- 2
	s := await(t, client, id, recyclingnats.Done)
	if s.Attempt != 2 {
		t.Errorf("status is %+v, want the second attempt", s)
	}
}

func TestInputOfTaskThatIsRefusedIsRemoved(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	size := task.Register(&tasks, "size", func(_ context.Context, b []byte) (int, error) { return len(b), nil }, task.Options{})
	client := connect(t, recyclingnats.Config{Backlog: 1})
	large := make([]byte, 1<<20)
	enqueue(t, client, size, large, "key")
	if n := objects(t, client, "tasks-inputs"); n != 1 {
		t.Fatalf("%d inputs are stored, want 1", n)
	}
	if _, err := recyclingnats.Enqueue(t.Context(), client, size, large, recyclingnats.EnqueueOptions{}); !errors.Is(err, offload.ErrFull) {
		t.Errorf("error is %v, want ErrFull", err)
	}
	enqueue(t, client, size, large, "key") // again
	if n := objects(t, client, "tasks-inputs"); n != 1 {
		t.Errorf("%d inputs are stored, want that of the first task", n)
	}
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	await(t, client, enqueue(t, client, size, large, "key"), recyclingnats.Done)
	for end := time.Now().Add(10 * time.Second); objects(t, client, "tasks-inputs") != 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the input is still stored after the task was done")
		}
	}
}

func TestBacklogThatIsAskedForOftenIsStillRight(t *testing.T) {
	t.Parallel()
	var tasks task.Set
	number := task.Register(&tasks, "number", func(_ context.Context, n int) (int, error) { return n, nil }, task.Options{})
	client := connect(t, recyclingnats.Config{})
	for i := range 20 {
		enqueue(t, client, number, i, "")
		limit := time.Now().Add(30 * time.Second)
		for {
			list, err := client.Backlog(t.Context())
			if err == nil && len(list) == 1 && list[0].Enqueued == i+1 {
				break
			}
			if time.Now().After(limit) {
				t.Fatalf("backlog is %+v, %v; want %d tasks", list, err, i+1)
			}
		}
	}
}
