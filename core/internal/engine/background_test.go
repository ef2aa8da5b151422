package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func (b *background) goroutines() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.running
}

func TestBackgroundCallsManyOnFewGoroutines(t *testing.T) {
	var b background
	var most atomic.Int64
	var all sync.WaitGroup
	const n = 10_000
	all.Add(n)
	for range n {
		b.add(func() {
			if r := int64(b.goroutines()); r > most.Load() {
				most.Store(r)
			}
			all.Done()
		})
	}
	all.Wait()
	if most.Load() > quickCallers {
		t.Errorf("there were %d goroutines", most.Load())
	}
}

func TestBackgroundCallsTheRestWhateverSomeDo(t *testing.T) {
	var b background
	open := make(chan struct{})
	var blocked, all sync.WaitGroup
	for i := range 500 {
		switch i % 3 {
		case 0:
			blocked.Add(1)
			b.add(func() {
				defer blocked.Done()
				<-open
			})
		case 1:
			b.add(func() { panic("nobody is told") })
		case 2:
			b.add(runtime.Goexit)
		}
		all.Add(1)
		b.add(all.Done)
	}
	all.Wait()
	close(open)
	blocked.Wait()
	for deadline := time.Now().Add(20 * time.Second); b.goroutines() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are left", b.goroutines())
		}
	}
}
