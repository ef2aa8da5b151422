package pools

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A load is the work of one contestant in one situation.
type load struct {
	work               func()
	producers, workers int
}

// A result is the result of one race.
type result struct {
	n             int // the number of jobs
	took          time.Duration
	allocs, bytes uint64

	// counted is how many counted jobs were submitted, and ran is how often they have run.
	counted, ran int
}

// A counter counts how many counted jobs of one producer have run. It fills its cache line and the
// next one.
type counter struct {
	atomic.Int64
	_ [120]byte
}

// race lets c run n jobs. For each producer, it counts one of every each jobs: counting all of them
// would cost more than some contestants do. The clock starts when producers and workers exist, and
// stops when all jobs are done and the workers have ended. A race cannot be interrupted.
func race(c contestant, l load, n, each int) (r result) {
	r.n = n
	submit, wait := c.open(l.workers)
	producers := l.producers
	if c.ideal {
		producers = l.workers
	} else {
		gather(submit, l.workers)
	}
	counters := make([]counter, producers)
	start := make(chan struct{})
	var ready, done sync.WaitGroup
	for i := range producers {
		share := (n + i) / producers
		r.counted += (share + each - 1) / each
		ready.Add(1)
		done.Go(func() {
			counted := func() {
				counters[i].Add(1)
				l.work()
			}
			ready.Done()
			<-start
			produce(submit, share, each, l.work, counted)
		})
	}
	ready.Wait()
	runtime.GC() // collects the garbage of earlier races
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	close(start)
	done.Wait()
	wait()
	r.took = time.Since(begin)
	runtime.ReadMemStats(&after)
	r.allocs = after.Mallocs - before.Mallocs
	r.bytes = after.TotalAlloc - before.TotalAlloc
	for i := range counters {
		r.ran += int(counters[i].Load())
	}
	return r
}

// produce submits n jobs. The first of every each jobs is a counted one.
func produce(submit func(func()), n, each int, job, counted func()) {
	for n > 0 {
		submit(counted)
		few := min(n, each)
		for range few - 1 {
			submit(job)
		}
		n -= few
	}
}

// gather returns when that many workers are running at the same time. Then all workers exist, and
// none has to be started later.
func gather(submit func(func()), workers int) {
	var here sync.WaitGroup
	here.Add(workers)
	for range workers {
		submit(func() { here.Done(); here.Wait() })
	}
	here.Wait()
}

// enough returns how many jobs make a race take about d. It finds that number as package testing
// does: with longer and longer races, here up to a quarter of d.
func enough(c contestant, l load, d time.Duration) int {
	for n := 16; ; {
		r := race(c, l, n, rarely)
		if r.took >= d/4 {
			return max(1, int(float64(n)*float64(d)/float64(r.took)))
		}
		next := float64(n) * float64(d/2) / float64(max(r.took, 1))
		n = int(min(next, 100*float64(n))) + 1
	}
}
