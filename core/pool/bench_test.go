package pool_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/pool"
)

// BenchmarkSubmit measures a job that does nothing: producers submit, and wait while 1024 jobs are
// queued.
func BenchmarkSubmit(b *testing.B) {
	for _, producers := range []int{1, 16} {
		for _, workers := range []int{1, 2, 4, 8, 16} {
			b.Run(fmt.Sprintf("producers=%d/workers=%d", producers, workers), func(b *testing.B) {
				p, err := pool.New(pool.Config[*int]{Work: func(*int) {}, Max: workers, Queue: 1024})
				if err != nil {
					b.Fatal(err)
				}
				ctx, job := context.Background(), new(int)
				b.ReportAllocs()
				b.ResetTimer()
				var wg sync.WaitGroup
				for i := range producers {
					wg.Go(func() {
						for range (b.N + i) / producers {
							p.Submit(ctx, job)
						}
					})
				}
				wg.Wait()
				if err := p.Shutdown(ctx); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// BenchmarkChannel is like BenchmarkSubmit, with a channel and goroutines that receive from it.
func BenchmarkChannel(b *testing.B) {
	for _, producers := range []int{1, 16} {
		for _, workers := range []int{1, 16} {
			b.Run(fmt.Sprintf("producers=%d/workers=%d", producers, workers), func(b *testing.B) {
				c, job := make(chan *int, 1024), new(int)
				var in, out sync.WaitGroup
				b.ReportAllocs()
				for range workers {
					out.Go(func() {
						for range c {
						}
					})
				}
				for i := range producers {
					in.Go(func() {
						for range (b.N + i) / producers {
							c <- job
						}
					})
				}
				in.Wait()
				close(c)
				out.Wait()
			})
		}
	}
}

// BenchmarkWait runs 800 jobs of 1 ms on 8 workers: 100 ms, if no worker ever waits in vain.
func BenchmarkWait(b *testing.B) {
	for b.Loop() {
		p, err := pool.New(pool.Config[time.Duration]{Work: time.Sleep, Max: 8})
		if err != nil {
			b.Fatal(err)
		}
		for range 800 {
			p.TrySubmit(time.Millisecond)
		}
		p.Shutdown(context.Background())
	}
}

// BenchmarkWaitBare is like BenchmarkWait, with 8 bare goroutines: the limit of the machine.
func BenchmarkWaitBare(b *testing.B) {
	for b.Loop() {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 100 {
					time.Sleep(time.Millisecond)
				}
			})
		}
		wg.Wait()
	}
}
