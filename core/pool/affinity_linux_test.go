package pool_test

import (
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/recycling-go/recycling/core/pool"
)

// processors returns the processors that the calling thread may run on.
func processors(t *testing.T) (cpus []int) {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Error(err)
	}
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

func TestWorkersAreSpreadOverTheirProcessors(t *testing.T) {
	all := processors(t)
	var mu sync.Mutex
	var let chan struct{}
	on := map[int]int{} // number of jobs per processor; -1 for a worker that may run on several
	p := newPool(t, pool.Config[int]{
		CPUs: all,
		Max:  2 * len(all),
		Work: func(int) {
			mu.Lock()
			if cpus := processors(t); len(cpus) == 1 {
				on[cpus[0]]++
			} else {
				on[-1]++
			}
			full := sum(on) == 2*len(all)
			mu.Unlock()
			if full {
				close(let)
			}
			<-let
		},
		Retire: func() bool { return true }, // so that the next round uses other workers
	})
	for range 3 {
		clear(on)
		let = make(chan struct{})
		if _, err := p.SubmitAll(t.Context(), make([]int, 2*len(all))); err != nil {
			t.Fatal(err)
		}
		<-let
		mu.Lock()
		for _, cpu := range all {
			if on[cpu] != 2 {
				t.Errorf("processor %d has %d workers, want 2 (all: %v)", cpu, on[cpu], on)
			}
		}
		mu.Unlock()
		for p.Stats().Workers > 0 {
			runtime.Gosched()
		}
	}
	shutdown(t, p)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if n := len(processors(t)); n != len(all) {
				t.Errorf("a goroutine that is no worker may run on %d processors, want all %d", n, len(all))
			}
		})
	}
	wg.Wait()
}

func sum(m map[int]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}
