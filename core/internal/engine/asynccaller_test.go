package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func (a *asyncCaller) goroutines() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.running
}

func TestBackgroundCallsManyOnFewGoroutines(t *testing.T) {
	var a asyncCaller
	var most atomic.Int64
	var all sync.WaitGroup
	const n = 10_000
	all.Add(n)
	for range n {
		a.add(func() {
			if r := int64(a.goroutines()); r > most.Load() {
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
	var a asyncCaller
	open := make(chan struct{})
	var blocked, all sync.WaitGroup
	for i := range 500 {
		switch i % 3 {
		case 0:
			blocked.Add(1)
			a.add(func() {
				defer blocked.Done()
				<-open
			})
		case 1:
			a.add(func() { panic("nobody is told") })
		case 2:
			a.add(runtime.Goexit)
		}
		all.Add(1)
		a.add(all.Done)
	}
	all.Wait()
	close(open)
	blocked.Wait()
	for deadline := time.Now().Add(20 * time.Second); a.goroutines() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are left", a.goroutines())
		}
	}
}
