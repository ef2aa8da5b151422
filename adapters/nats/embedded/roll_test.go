package embedded_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
	"github.com/recycling-go/recycling/core/offload/task/tasktest"
)

// Workers are replaced one after the other, as in a rolling update, while others call and enqueue.
func TestRollingReplacementsFailNoTask(t *testing.T) {
	t.Parallel()
	replacements := 100
	if testing.Short() {
		replacements = 10
	}
	var tasks task.Set
	double := task.Register(&tasks, "double", func(ctx context.Context, n int) (int, error) {
		select {
		case <-time.After(time.Duration(n%5) * time.Millisecond):
			return 2 * n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}, task.Options{})
	client := connect(t, recyclingnats.Config{})
	over := make(chan struct{})
	var callers sync.WaitGroup
	for c := range 4 {
		callers.Go(func() {
			var ids []string
			for n := c; ; n += 4 {
				select {
				case <-over:
					for _, id := range ids {
						await(t, client, id, recyclingnats.Done)
					}
					return
				default:
				}
				if got, err := double.Do(t.Context(), client, n); got != 2*n || err != nil {
					t.Errorf("call %d: got %d, %v", n, got, err)
				}
				if n%10 == c {
					id, err := recyclingnats.Enqueue(t.Context(), client, double, n, recyclingnats.EnqueueOptions{})
					if err != nil {
						t.Error(err)
					}
					ids = append(ids, id)
				}
			}
		})
	}
	stop := startWorker(t, client, &tasks, recyclingnats.WorkerConfig{})
	for range replacements {
		next := startWorker(t, client, &tasks, recyclingnats.WorkerConfig{})
		stop()
		stop = next
	}
	close(over)
	callers.Wait()
	stop()
}

func TestCallThatIsGivenBack(t *testing.T) {
	t.Parallel()
	begun := make(chan bool, 1)
	let := make(chan int, 1)
	f := func(ctx context.Context, _ int) (int, error) {
		begun <- true
		select {
		case n := <-let:
			return n, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	var tasks task.Set
	once := task.Register(&tasks, "once", f, task.Options{})
	again := task.Register(&tasks, "again", f, task.Options{Idempotent: true})
	client := connect(t, recyclingnats.Config{})
	done := make(chan error, 1)
	call := func(tk *task.Task[int, int]) {
		_, err := tk.Do(t.Context(), client, 1)
		done <- err
	}

	stop := startWorker(t, client, &tasks, recyclingnats.WorkerConfig{Grace: -1})
	go call(once)
	<-begun
	stop()
	if err := <-done; !errors.Is(err, task.ErrLost) {
		t.Errorf("a task that must not run twice: %v, want ErrLost", err)
	}

	stop = startWorker(t, client, &tasks, recyclingnats.WorkerConfig{Grace: -1})
	go call(again)
	<-begun
	stop()
	serve(t, client, &tasks, recyclingnats.WorkerConfig{})
	<-begun
	let <- 1
	if err := <-done; err != nil {
		t.Errorf("an idempotent task: %v", err)
	}
}

func TestPlaceOfWorker(t *testing.T) {
	t.Parallel()
	tasktest.Run(t, tasktest.Target{
		Name: "relayed",
		Start: func(t testing.TB, o offload.Config) *tasktest.Instance {
			pool, err := offload.New(offload.Config{Workers: o.Workers, Slots: o.Slots})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			if err := tasktest.Tasks.Warm(t.Context(), tasktest.Tasks.Names()...); err != nil {
				t.Fatal(err)
			}
			return instanceAt(t, recyclingnats.Config{Embedded: start(t)}, o, task.Local(pool))
		},
	})
}
