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

// A request waits for one response. Its error wraps an [offload.ShedError] if the request was shed.
type request func(context.Context) error

// A result has the results of the requests of all clients, except those in flight when the context
// ended.
type result struct {
	elapsed time.Duration // until the last response

	// mu guards the following fields while clients run.
	mu     sync.Mutex
	served *hdrhistogram.Histogram // latencies in microseconds
	shed   *hdrhistogram.Histogram
	failed int
	errors []string // the first errors
}

const errorsKept = 10 // the same as in gunicorn's benchmark

func newResult() *result { return &result{served: newHistogram(), shed: newHistogram()} }

// newHistogram returns a histogram of microseconds, from 1 to more than the longest response time,
// which is a minute.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, 2*time.Minute.Microseconds(), 3)
}

func (r *result) total() int {
	return int(r.served.TotalCount()+r.shed.TotalCount()) + r.failed
}

// add counts one response. A shed request is not a failure.
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

// closedLoop lets each client send a request, and the next one after its response, until all
// clients together have sent n requests, or ctx ends. It waits for the last response. A client
// whose request was shed waits as long as the server asks it to.
func closedLoop(ctx context.Context, clients []request, n int) *result {
	r := newResult()
	var left atomic.Int64
	left.Store(int64(n))
	sent, stop := context.WithCancel(ctx) // cancelled when nothing is left to send
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

// backOff waits for the RetryAfter of a shed request, or until nothing is left to send.
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
