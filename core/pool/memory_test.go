package pool_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/pool"
)

// A bigJob cannot be stored in an interface without an allocation.
type bigJob struct {
	ctx  context.Context
	name string
	do   func(name string)
}

func TestNoAllocationPerJob(t *testing.T) {
	var done atomic.Int64
	p := newPool(t, pool.Config[bigJob]{Max: 4, Queue: 256, Work: func(j bigJob) { j.do(j.name) }})
	ctx, job := t.Context(), bigJob{t.Context(), "big", func(string) { done.Add(1) }}
	if n := testing.AllocsPerRun(100, func() {
		for range 1000 {
			if err := p.Submit(ctx, job); err != nil {
				t.Error(err)
			}
		}
	}); n >= 10 { // one or two are allocated when a worker starts
		t.Errorf("%v allocations for 1000 jobs, want none", n)
	}
	shutdown(t, p)
	if n := done.Load(); n != 101_000 {
		t.Errorf("%d jobs were done, want 101000", n)
	}
}

func TestNoAllocationPerBatch(t *testing.T) {
	jobs, ran := make(chan int), make(chan struct{})
	p := newPool(t, pool.Config[int]{
		Max:  2,
		Work: func(int) { ran <- struct{}{} },
		Lead: func(batch []int) ([]int, error) {
			job, ok := <-jobs
			if !ok {
				return nil, errSourceEnded
			}
			return append(batch, job, job), nil
		},
	})
	t.Cleanup(func() { close(jobs) })
	if n := testing.AllocsPerRun(1000, func() {
		jobs <- 1
		<-ran
		<-ran
	}); n != 0 {
		t.Errorf("%v allocations for a batch of two jobs, want none", n)
	}
	if n := p.Stats().Workers; n > 3 {
		t.Errorf("%d workers, want no more than Max and one that leads", n)
	}
}

func TestIdlePoolKeepsNoJob(t *testing.T) {
	const jobs = 3 * pool.ClaimBatchSize
	type job = *[64]byte
	var freed atomic.Int32
	newJob := func() job {
		j := new([64]byte)
		runtime.AddCleanup(j, func(int) { freed.Add(1) }, 0)
		return j
	}
	let, source := make(chan struct{}), make(chan int)
	p := newPool(t, pool.Config[job]{
		Max:  3,
		Work: func(job) { <-let },
		Lead: func(batch []job) ([]job, error) {
			n, ok := <-source
			if !ok {
				return nil, errSourceEnded
			}
			for range n {
				batch = append(batch, newJob())
			}
			return batch, nil
		},
	})
	t.Cleanup(func() { close(source) })
	for range jobs {
		submit(t, p, newJob())
	}
	source <- jobs
	close(let)
	for deadline := time.Now().Add(10 * time.Second); freed.Load() < 2*jobs; time.Sleep(time.Millisecond) {
		if runtime.GC(); time.Now().After(deadline) {
			t.Fatalf("%d of %d jobs are still kept", 2*jobs-freed.Load(), 2*jobs)
		}
	}
}
