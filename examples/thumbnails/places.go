package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task"
)

const (
	group   = "thumbnails"    // the tasks share their workers, in every place
	maxWait = 5 * time.Second // of an upload for a worker; then 503
)

// A workplace is where the thumbnails of this application are made.
type workplace struct {
	task.Place                       // observed
	manager    task.Manager          // nil if this process has no workers
	nats       *recyclingnats.Client // nil unless the place is nats
	close      func() error          // after the server
}

// open opens the place that c names.
func open(ctx context.Context, c config, rec *observe.TaskRecorder) (*workplace, error) {
	w, p, err := &workplace{}, task.Place(nil), error(nil)
	switch c.place {
	case inProcess:
		p, err = w.openPools(ctx, c)
	case inChildren:
		p, err = w.openChildren(ctx, c)
	case inNATS:
		p, err = w.openNATS(ctx, c)
	}
	if err != nil {
		return nil, err
	}
	w.Place = task.Observe(p, c.place, rec)
	if w.nats != nil {
		w.nats.ObserveBacklog(c.place, rec)
	}
	return w, nil
}

func (c config) offload() offload.Config {
	return offload.Config{Workers: cmp.Or(c.workers, runtime.GOMAXPROCS(0)), Queue: c.queue, Wait: maxWait}
}

func (w *workplace) openPools(ctx context.Context, c config) (task.Place, error) {
	p, err := task.NewPools(ctx, &tasks, task.PoolConfig{Name: group, Config: c.offload()})
	if err != nil {
		return nil, err
	}
	w.manager = p
	w.close = func() error { return within(p.Shutdown) }
	return p, nil
}

func (w *workplace) openChildren(ctx context.Context, c config) (task.Place, error) {
	g := child.Group{Name: group}
	g.Config = c.offload()
	g.MaxTasks = 10_000
	if runtime.GOOS == "linux" {
		g.MaxMemory = 1 << 30
		g.Command.Nice = 5 // pages and answers come before thumbnails
	}
	p, err := child.Open(ctx, child.Config{Tasks: &tasks, Groups: []child.Group{g}})
	if err != nil {
		return nil, err
	}
	w.manager = p
	w.close = func() error {
		defer p.Close()
		return within(p.Shutdown)
	}
	return p, nil
}

// openNATS connects to NATS. If the server is in this process, so is the worker.
func (w *workplace) openNATS(ctx context.Context, c config) (task.Place, error) {
	client, err := recyclingnats.Connect(ctx, c.nats())
	if err != nil {
		return nil, err
	}
	w.nats = client
	w.close = func() error { client.Close(); return nil }
	if os.Getenv("NATS_URL") != "" {
		return client, nil
	}
	worker, err := client.NewWorker(&tasks, recyclingnats.WorkerConfig{Workers: c.workers})
	if err != nil {
		client.Close()
		return nil, err
	}
	w.manager = worker
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- worker.Run(ctx) }()
	w.close = func() error {
		stop()
		err := <-done
		client.Close()
		return err
	}
	return client, nil
}

// nats are the settings that the application and all workers have in common.
func (c config) nats() recyclingnats.Config {
	return recyclingnats.Config{
		Embedded:     embedded.Start,
		Dir:          c.dir,
		Name:         "thumbnails",
		Groups:       map[string][]string{group: tasks.Names()},
		Queue:        c.queue,
		Wait:         maxWait,
		Backlog:      10_000,
		BacklogBytes: 256 << 20,
		AckWait:      10 * time.Second,
	}
}

// within calls a Shutdown, with a limit of 10 seconds. The server has ended by then, so the only
// tasks that may still run are those whose callers have left.
func within(shutdown func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := shutdown(ctx); err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	return nil
}
