package pools

import (
	"context"
	"sync"
	"time"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"

	"github.com/recycling-go/recycling/core/pool"
)

// queue is how many jobs may wait in a pool with a queue.
const queue = 1024

// A contestant runs functions on workers.
type contestant struct {
	name string

	// open starts a pool. submit waits until there is room for the job. wait is called last, and
	// returns when all jobs are done.
	open func(workers int) (submit func(job func()), wait func())

	// ideal is set if there is no pool: the producers run the jobs themselves.
	ideal bool
}

// ideal is the name of the contestant without a pool, which shows the best that the machine can do.
const ideal = "bare"

var contestants = []contestant{
	{name: "recycling", open: func(workers int) (func(func()), func()) {
		p, err := pool.New(pool.Config[func()]{Work: func(job func()) { job() }, Max: workers, Queue: queue})
		if err != nil {
			panic(err)
		}
		ctx := context.Background()
		return func(job func()) { p.Submit(ctx, job) }, func() { p.Shutdown(ctx) }
	}},
	{name: "channel", open: func(workers int) (func(func()), func()) {
		c := make(chan func(), queue)
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for job := range c {
					job()
				}
			})
		}
		return func(job func()) { c <- job }, func() { close(c); wg.Wait() }
	}},
	{name: "pond", open: func(workers int) (func(func()), func()) {
		p := pond.NewPool(workers, pond.WithQueueSize(queue))
		return func(job func()) { p.Go(job) }, p.StopAndWait
	}},
	{name: "ants", open: func(workers int) (func(func()), func()) {
		p, err := ants.NewPool(workers)
		if err != nil {
			panic(err)
		}
		return func(job func()) { p.Submit(job) }, func() { p.ReleaseTimeout(time.Minute) }
	}},
	// A new goroutine for each job, without bounds.
	{name: "goroutines", open: func(int) (func(func()), func()) {
		var wg sync.WaitGroup
		return func(job func()) { wg.Go(job) }, wg.Wait
	}},
	{name: ideal, ideal: true, open: func(int) (func(func()), func()) {
		return func(job func()) { job() }, func() {}
	}},
}
