package pool_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/pool"
)

func TestPhases(t *testing.T) {
	for _, w := range []int{1, 2, 16} {
		gate := make(chan bool)
		var arrived sync.WaitGroup
		end := make(chan time.Time, 1)
		p, _ := pool.New(pool.Config[int]{Work: func(j int) {
			switch j {
			case 1:
				arrived.Done()
				<-gate
			case 2:
				end <- time.Now()
			}
		}, Max: w})
		bp, bd := time.Hour, time.Hour
		for range 2000 {
			arrived.Add(w)
			for range w {
				p.TrySubmit(1)
			}
			arrived.Wait()
			t0 := time.Now()
			for range 2000 {
				p.TrySubmit(0)
			}
			bp = min(bp, time.Since(t0))
			p.TrySubmit(2)
			t1 := time.Now()
			for range w {
				gate <- true
			}
			bd = min(bd, (<-end).Sub(t1))
		}
		fmt.Println(w, "push", bp/2000, "drain", bd/2000)
		p.Close()
	}
}
func BenchmarkSleepIdeal(b *testing.B) {
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
