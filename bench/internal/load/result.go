package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// newResult returns an empty Result.
func newResult() *Result {
	const digits = 3
	return &Result{latencies: hdrhistogram.New(int64(time.Microsecond), int64(longest), digits)}
}

// longest is the longest latency that is recorded. Longer latencies are recorded as longest.
const longest = time.Minute

func (r *Result) answer(latency time.Duration) {
	r.Requests++
	// The value is in range, so there is no error.
	r.latencies.RecordValue(int64(min(max(latency, 0), longest)))
}

func (r *Result) error(err error) {
	r.Errors++
	if r.First == nil {
		r.First = err
	}
}

// sum returns the sum of all results.
func sum(results []*Result, elapsed time.Duration) *Result {
	all := newResult()
	all.Elapsed = elapsed
	for _, r := range results {
		all.Requests += r.Requests
		all.Errors += r.Errors
		all.latencies.Merge(r.latencies)
		if all.First == nil {
			all.First = r.First
		}
	}
	return all
}
