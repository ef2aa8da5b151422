package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"

	"github.com/recycling-go/recycling/core/pool"
)

// poolQueue is how many jobs may wait in those pools that have a queue.
const poolQueue = 1024

// A contestant does functions on workers.
type contestant struct {
	name string

	// open returns how to submit a job, which waits while there is no room, and how to wait until all are done.
	open func(workers int) (submit func(job func()), wait func())
}

var contestants = []contestant{
	{"recycling", func(workers int) (func(func()), func()) {
		p, err := pool.New(pool.Config[func()]{Work: func(job func()) { job() }, Max: workers, Queue: poolQueue})
		if err != nil {
			panic(err)
		}
		ctx := context.Background()
		return func(job func()) { p.Submit(ctx, job) }, func() { p.Shutdown(ctx) }
	}},
	{"channel", func(workers int) (func(func()), func()) {
		c := make(chan func(), poolQueue)
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
	{"pond", func(workers int) (func(func()), func()) {
		p := pond.NewPool(workers, pond.WithQueueSize(poolQueue))
		return func(job func()) { p.Go(job) }, p.StopAndWait
	}},
	{"ants", func(workers int) (func(func()), func()) {
		p, err := ants.NewPool(workers)
		if err != nil {
			panic(err)
		}
		return func(job func()) { p.Submit(job) }, func() { p.ReleaseTimeout(time.Minute) }
	}},
}

// goroutines is a new goroutine per job, and no bound on their number.
var goroutines = contestant{"goroutines", func(int) (func(func()), func()) {
	var wg sync.WaitGroup
	return func(job func()) { wg.Go(job) }, wg.Wait
}}

// bare is so many goroutines that share the jobs out beforehand: what the machine can do. All jobs must be the same, and
// their one producer too.
var bare = contestant{"bare", func(workers int) (func(func()), func()) {
	n, same := 0, func() {}
	return func(job func()) { n++; same = job }, func() {
		var wg sync.WaitGroup
		for i := range workers {
			wg.Go(func() {
				for range (n + i) / workers {
					same()
				}
			})
		}
		wg.Wait()
	}
}}

// race does b.N times job, submitted by so many producers to so many workers, on each of cs.
func race(b *testing.B, cs []contestant, producers, workers int, job func()) {
	for _, c := range cs {
		b.Run(c.name, func(b *testing.B) {
			submit, wait := c.open(workers)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for i := range producers {
				wg.Go(func() {
					for range (b.N + i) / producers {
						submit(job)
					}
				})
			}
			wg.Wait()
			wait()
		})
	}
}

// BenchmarkPoolEmpty is the price of a job that does nothing.
//
//	go test -run '^$' -bench PoolEmpty ./bench
func BenchmarkPoolEmpty(b *testing.B) {
	for _, producers := range []int{1, 16} {
		for _, workers := range []int{1, 2, 4, 8, 16} {
			b.Run(fmt.Sprintf("producers=%d/workers=%d", producers, workers), func(b *testing.B) {
				race(b, append(contestants, goroutines), producers, workers, func() {})
			})
		}
	}
}

// BenchmarkPoolSleep is the price of a job of 1 ms on 8 workers: 125 µs, and what the system's timers add, if no job
// ever waits while a worker is idle. 800 of them are 100 ms.
func BenchmarkPoolSleep(b *testing.B) {
	race(b, append(contestants, bare), 1, 8, func() { time.Sleep(time.Millisecond) })
}

// BenchmarkPoolHash is the price of the SHA-256 of 64 KiB, with one worker and with one per processor: that of the
// former, divided by their number, if as many processors were to be had.
func BenchmarkPoolHash(b *testing.B) {
	data := make([]byte, 64<<10)
	for _, workers := range []int{1, runtime.GOMAXPROCS(0)} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			race(b, append(contestants, bare), 1, workers, func() { sha256.Sum256(data) })
		})
	}
}
