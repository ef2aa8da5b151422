package pool_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/pool"
)

func BenchmarkSubmit(b *testing.B) {
	for _, producers := range []int{1, 16} {
		for _, workers := range []int{1, 2, 4, 8, 16} {
			b.Run(fmt.Sprintf("producers=%d/workers=%d", producers, workers), func(b *testing.B) {
				p, err := pool.New(pool.Config[*int]{Work: func(*int) {}, Max: workers, Queue: 1024})
				if err != nil {
					b.Fatal(err)
				}
				ctx := context.Background()
				job := new(int)
				b.ReportAllocs()
				c0 := cputime()
				b.ResetTimer()
				var wg sync.WaitGroup
				for range producers {
					wg.Go(func() {
						for range b.N / producers {
							p.Submit(ctx, job)
						}
					})
				}
				wg.Wait()
				p.Shutdown(ctx)
				n := float64(b.N)
				b.ReportMetric(cpu(c0)/n, "cpu-ns")
			})
		}
	}
}

func BenchmarkSleep(b *testing.B) {
	for b.Loop() {
		p, _ := pool.New(pool.Config[int]{Work: func(int) { time.Sleep(time.Millisecond) }, Max: 8})
		for i := range 800 {
			p.TrySubmit(i)
		}
		p.Shutdown(context.Background())
	}
}
