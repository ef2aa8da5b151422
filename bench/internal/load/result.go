package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Result is what a Load has measured.
type Result struct {
	Elapsed  time.Duration // until the last response
	Requests int64         // the number of requests with a 200 response
	Bytes    int64         // of the bodies of these responses
	Errors   int64         // the number of other requests
	First    error         // one of the first errors; nil if there are none

	latencies *hdrhistogram.Histogram
}

// Rate returns the requests per second.
func (r *Result) Rate() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

// Percentile returns the latency that p percent of the requests did not exceed, with three
// significant digits, or zero if there were no requests. With Request.Close it includes opening and
// closing the connection.
func (r *Result) Percentile(p float64) time.Duration {
	return time.Duration(r.latencies.ValueAtPercentile(p))
}

// Max returns the longest latency, which is a minute at most.
func (r *Result) Max() time.Duration { return time.Duration(r.latencies.Max()) }

// newResult returns an empty Result.
func newResult() *Result {
	const digits = 3
	return &Result{latencies: hdrhistogram.New(int64(time.Microsecond), int64(longest), digits)}
}

// longest is the longest latency that is recorded. Longer latencies are recorded as longest.
const longest = time.Minute

// answer counts a response whose body has n bytes.
func (r *Result) answer(latency time.Duration, n int64) {
	r.Requests++
	r.Bytes += n
	// The value is in range, so there is no error.
	r.latencies.RecordValue(int64(min(max(latency, 0), longest)))
}

func (r *Result) error(err error) {
	r.Errors++
	if r.First == nil {
		r.First = err
	}
}

// Sum returns the sum of all results, of loads that together took elapsed.
func Sum(results []*Result, elapsed time.Duration) *Result {
	all := newResult()
	all.Elapsed = elapsed
	for _, r := range results {
		all.Requests += r.Requests
		all.Bytes += r.Bytes
		all.Errors += r.Errors
		all.latencies.Merge(r.latencies)
		if all.First == nil {
			all.First = r.First
		}
	}
	return all
}
