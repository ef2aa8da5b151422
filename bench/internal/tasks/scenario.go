package tasks

import (
	"math"
	"slices"
	"sync"
	"time"
)

// A scenario says what clients request, and how many requests may wait.
type scenario struct {
	name           string
	sleep, compute time.Duration // what a task does, in this order
	clients        int
	requests       int // the maximum, which gunicorn's benchmark sends

	// queue is how many calls may wait for each worker of the pool, and wait is how long they may
	// wait. Zero means room for all clients, which wait as long as gunicorn's clients do.
	queue int
	wait  time.Duration
}

const (
	patience = 30 * time.Second // how long clients wait for a response; the same as gunicorn's
	room     = 256              // enough for all clients of any scenario
)

const ms = time.Millisecond

// gunicorns is the number of scenarios in gunicorn's benchmark. They come first. Its own overload
// scenario has room for all clients; here that is the last scenario.
const gunicorns = 6

// The last call in a full queue waits for 160 ms.
const (
	overloadQueue = 16
	overloadWait  = 250 * ms
)

var scenarios = []scenario{
	{"baseline_10ms", 10 * ms, 0, 1, 1000, 0, 0},
	{"throughput_10ms", 10 * ms, 0, 100, 5000, 0, 0},
	{"cpu_bound_100ms", 0, 100 * ms, 20, 500, 0, 0},
	{"io_bound_500ms", 500 * ms, 0, 50, 200, 0, 0},
	{"mixed_50_50", 50 * ms, 50 * ms, 30, 500, 0, 0},
	{"overload_10ms", 10 * ms, 0, 200, 2000, overloadQueue, overloadWait},
	{"overload_10ms_queued", 10 * ms, 0, 200, 2000, 0, 0},
}

// bounds returns how many calls may wait for the given number of workers, and for how long.
func (s scenario) bounds(workers int) (queue int, wait time.Duration) {
	if s.queue == 0 {
		return room, patience
	}
	return s.queue * workers, s.wait
}

// ideal returns how many tasks can be done per second if bound of them may run at the same time.
func (s scenario) ideal(bound, cores int) float64 {
	rate := float64(min(bound, s.clients)) / (s.sleep + s.compute).Seconds()
	if s.compute > 0 {
		rate = min(rate, float64(cores)/s.compute.Seconds())
	}
	return rate
}

// count returns how many requests take d, in batches that give every worker a task. With a bounded
// queue it doubles that, because about half of the requests are shed when all clients send at once
// and again after a second.
func (s scenario) count(ideal float64, d time.Duration, workers int) int {
	batches := max(int(math.Ceil(ideal*d.Seconds()/float64(workers))), 1)
	n := batches * workers
	if s.queue > 0 {
		n *= 2
	}
	return min(n, s.requests)
}

// action and args are gunicorn's names for the task and its arguments.
func (s scenario) action() string {
	switch {
	case s.compute == 0:
		return "sleep_task"
	case s.sleep == 0:
		return "cpu_task"
	}
	return "mixed_task"
}

func (s scenario) args() []int64 {
	switch s.action() {
	case "sleep_task":
		return []int64{s.sleep.Milliseconds()}
	case "cpu_task":
		return []int64{s.compute.Milliseconds()}
	}
	return []int64{s.sleep.Milliseconds(), s.compute.Milliseconds()}
}

// compute does the same computation as gunicorn's tasks, but for a number of steps instead of a
// time, so that shared processors do not make the work less.
func compute(spins int) float64 {
	x := 0.0
	for i := range spins {
		x += float64(i%1000) * 0.001
		if x < 1e6 {
			x *= 1.001
		} else {
			x *= 0.999
		}
	}
	return x
}

// sink is written so that the compiler does not remove the computation.
var sink struct {
	sync.Mutex
	sum float64
}

// task is the work of a worker.
func task(sleep time.Duration, spins int) {
	if sleep > 0 {
		time.Sleep(sleep)
	}
	if spins > 0 {
		x := compute(spins)
		sink.Lock()
		sink.sum += x
		sink.Unlock()
	}
}

// calibrate returns how many spins a goroutine does in a millisecond while n goroutines compute.
// Other load on the machine lowers that number, so calibrate takes many short measurements, and
// returns the 90th percentile.
func calibrate(n int) float64 {
	const times, spins = 150, 10_000
	rates := make([]float64, n)
	var all sync.WaitGroup
	for i := range rates {
		all.Go(func() {
			var each []float64
			for range times {
				done, begin := 0, time.Now()
				for time.Since(begin) < ms {
					task(0, spins)
					done += spins
				}
				each = append(each, float64(done)/(time.Since(begin).Seconds()*1e3))
			}
			slices.Sort(each)
			rates[i] = each[times*9/10]
		})
	}
	all.Wait()
	return slices.Min(rates)
}
