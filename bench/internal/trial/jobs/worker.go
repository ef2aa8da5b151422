package jobs

import (
	"context"
	"fmt"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/bench/internal/trial/jobs/history"
	"github.com/recycling-go/recycling/core/offload/task"
)

// The tasks, by name. Their function is that of the worker; an HTTP server only calls and enqueues
// them.
type jobTasks struct {
	set      task.Set
	once     *task.Task[input, output]
	again    *task.Task[input, output] // idempotent
	enqueued *task.Task[input, output]
}

func newTasks(f func(context.Context, input) (output, error)) *jobTasks {
	t := new(jobTasks)
	t.once = task.Register(&t.set, "once", f, task.Options{})
	t.again = task.Register(&t.set, "again", f, task.Options{Idempotent: true})
	t.enqueued = task.Register(&t.set, "enqueued", f, task.Options{})
	return t
}

// config is how all processes use NATS.
func (s setup) config() recyclingnats.Config {
	return recyclingnats.Config{
		URL: strings.Join(s.URLs, ","), Name: "trial", Replicas: 3,
		AckWait: ackWait, BacklogBytes: backlogBytes,
		Groups: map[string][]string{"calls": {"once", "again"}, "jobs": {"enqueued"}},
	}
}

// backlogBytes is the limit of each of the five streams and buckets. NATS reserves so much.
const backlogBytes = 512 << 20

// ackWait is how long the task of a worker that was killed waits. With the default, 30 s, the trial
// would take longer, and show the same.
const ackWait = 10 * time.Second

// A worker is the process that runs tasks.
type worker struct {
	setup
	ledger *history.Ledger
	count  atomic.Int64 // of executions
}

// workerMain is the main function of a worker. It prints its name at once: NATS may be away.
func workerMain(s setup) error {
	l, err := history.OpenLedger(filepath.Join(s.Ledger, strings.ReplaceAll(s.Name, "/", "-")))
	if err != nil {
		return err
	}
	w := &worker{setup: s, ledger: l}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Println(s.Name)
	client, err := recyclingnats.Connect(ctx, s.config())
	if err != nil {
		return err
	}
	defer client.Close()
	runner, err := client.NewWorker(&newTasks(w.run).set, recyclingnats.WorkerConfig{Workers: s.Workers, Grace: s.Grace})
	if err != nil {
		return err
	}
	if err := s.serves(); err != nil {
		return err
	}
	return runner.Run(ctx)
}

// run is the function of all tasks. It notes that it runs, takes a while, has its effect if the
// input has a key, and returns a result that belongs to this input and this execution.
func (w *worker) run(ctx context.Context, in input) (output, error) {
	id := fmt.Sprintf("%s.%d", w.Name, w.count.Add(1))
	err := w.ledger.Begin(history.Execution{ID: id, Token: in.Token, Key: in.Key, Worker: w.Name})
	if err != nil {
		return output{}, err
	}
	out := output{Result: history.Result{Token: in.Token, Execution: id, Sum: sum(in.Padding)}, Padding: make([]byte, in.Reply)}
	t := time.NewTimer(in.Work)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return output{}, ctx.Err()
	}
	if in.Key != "" {
		if err := takeEffect(w.Effects, in.Key); err != nil {
			return output{}, err
		}
	}
	return out, w.ledger.End(id)
}
