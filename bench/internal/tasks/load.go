package tasks

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/recycling-go/recycling/core/offload"
)

// A request waits for one answer. The error wraps an [offload.ShedError] if it was shed.
type request func(context.Context) error

// A result is what became of the requests of a number of clients. All of them are counted, but those under way when its context ended.
type result struct {
	elapsed time.Duration // until the last answer

	mu     sync.Mutex              // guards following, while clients are at work
	served *hdrhistogram.Histogram // latencies in microseconds
	shed   *hdrhistogram.Histogram
	failed int
	errors []string // the first of them
}

const errorsKept = 10 // by gunicorn too

func newResult() *result { return &result{served: newHistogram(), shed: newHistogram()} }

// newHistogram returns one for microseconds: 1 to more than any answer takes, which is a minute at most.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, 2*time.Minute.Microseconds(), 3)
}

func (r *result) total() int {
	return int(r.served.TotalCount()+r.shed.TotalCount()) + r.failed
}

// add counts one answer. Being shed is no failure.
func (r *result) add(took time.Duration, err error) {
	var shed *offload.ShedError
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.served
	switch {
	case err == nil:
	case errors.As(err, &shed):
		h = r.shed
	default:
		r.failed++
		if len(r.errors) < errorsKept {
			r.errors = append(r.errors, err.Error())
		}
		return
	}
	if err := h.RecordValue(took.Microseconds()); err != nil {
		panic("tasks: BUG: " + err.Error())
	}
}

// closedLoop has each client send a request, and the next when that is answered, until all of them together have sent n,
// or ctx ends. It waits for the last answer. A client that was shed comes again when it was asked to.
func closedLoop(ctx context.Context, clients []request, n int) *result {
	r := newResult()
	var left atomic.Int64
	left.Store(int64(n))
	sent, stop := context.WithCancel(ctx) // ends when nothing is left to send
	defer stop()
	var all sync.WaitGroup
	begin := time.Now()
	for _, send := range clients {
		all.Go(func() {
			for {
				n := left.Add(-1)
				if n <= 0 {
					stop()
				}
				if n < 0 {
					return
				}
				from := time.Now()
				err := send(ctx)
				if ctx.Err() != nil {
					return
				}
				r.add(time.Since(from), err)
				backOff(sent, err)
			}
		})
	}
	all.Wait()
	r.elapsed = time.Since(begin)
	return r
}

// backOff waits for as long as a shed request's client is asked to, or until there is nothing more to send.
func backOff(sent context.Context, err error) {
	var shed *offload.ShedError
	if !errors.As(err, &shed) {
		return
	}
	t := time.NewTimer(shed.RetryAfter)
	defer t.Stop()
	select {
	case <-t.C:
	case <-sent.Done():
	}
}
