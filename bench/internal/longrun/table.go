package longrun

import (
	"fmt"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// The names of the columns. All except p99 are siege's.
const (
	transactions = "transactions"
	availability = "availability"
	responseTime = "response time"
	p99          = "p99"
	longest      = "longest transaction"
	rate         = "transaction rate"
	concurrency  = "concurrency"
	failed       = "failed transactions"
)

// A detail has more figures of one round of a row.
type detail struct {
	Elapsed  float64 `json:"elapsed_sec"`
	Shortest float64 `json:"shortest_transaction_sec"`
}

func newTable(c Config) *record.Table {
	return &record.Table{
		Name:     "longrun",
		Title:    fmt.Sprintf("Long-running work in the server: %d clients, a new connection for each request", c.Clients),
		Note:     note(c),
		Keys:     []string{"task", "server"},
		Baseline: goroutine,
		Columns: []record.Column{
			{Name: transactions, Format: "%.0f"},
			{Name: availability, Unit: "%", Format: "%.2f", Better: record.Higher},
			{Name: responseTime, Unit: "s", Format: "%.3f", Better: record.Lower},
			{Name: p99, Unit: "s", Format: "%.3f"},
			{Name: longest, Unit: "s", Format: "%.3f"},
			{Name: rate, Unit: "/s", Format: "%.1f", Better: record.Higher},
			{Name: concurrency, Format: "%.1f"},
			{Name: failed, Format: "%.0f"},
		},
		Charts: []record.Chart{
			{Name: "longrun-rate", Title: "Long-running work: transactions per second", Column: rate, X: "task", Series: "server"},
			{Name: "longrun-response", Title: "Long-running work: mean response time in seconds", Column: responseTime, X: "task", Series: "server"},
		},
		Published: published(),
	}
}

func note(c Config) string {
	return fmt.Sprintf(`sleep and split take %v. The external server of https and xml answers after %v. xml parses its document this many times: %d.
copy copies %d KiB and does not wait for the disk. one serves one request at a time; offload, process and the places run %[5]d tasks at a time; waiting runs
%[5]d that do not wait, and any number that wait; and the others as many as there are clients. Clients send requests for %v, and wait for the
last answers. The published figures are availability, response time and transaction rate of Tornado with 25 clients and 4 workers.`,
		c.Sleep, c.Latency, c.Parses, c.FileSize>>10, c.Workers, c.Duration)
}

// add adds the figures of a result to a row.
func add(row *record.Row, r *result) {
	row.Add(transactions, float64(len(r.times)))
	row.Add(availability, r.availability())
	row.Add(failed, float64(r.failed))
	d := detail{Elapsed: r.elapsed.Seconds()}
	if n := len(r.times); n > 0 {
		row.Add(responseTime, r.sum()/float64(n))
		row.Add(p99, r.quantile(0.99))
		row.Add(longest, r.times[n-1].Seconds())
		row.Add(rate, float64(n)/d.Elapsed)
		row.Add(concurrency, r.sum()/d.Elapsed)
		d.Shortest = r.times[0].Seconds()
	}
	row.Detail = append(row.Detail, d)
}

// published returns the source's own figures for the tasks that are measured here.
func published() []record.Published {
	const source = "github.com/pioneer/httpd-background-tasks (README.rst; siege, on a Core i7-5500U)"
	var all []record.Published
	for _, f := range []struct{ what, value string }{
		{"sleep 280 ms, synchronous server", "94.58 %, 1.96 s, 3.55 trans/s"},
		{"sleep 280 ms, in the loop, which it blocks", "100.00 %, 6.98 s, 3.54 trans/s"},
		{"sleep 280 ms, thread executor", "100.00 %, 1.75 s, 14.24 trans/s"},
		{"sleep 280 ms, process executor", "100.00 %, 1.75 s, 14.24 trans/s"},
		{"sleep split into 20, 60 and 200 ms, in the loop, asynchronous", "100.00 %, 0.28 s, 88.18 trans/s"},
		{"fetch from a local server, in the loop, asynchronous", "100.00 %, 0.04 s, 575.20 trans/s"},
		{"fetch from a local server, thread executor", "100.00 %, 0.08 s, 300.91 trans/s"},
		{"fetch from a local server, process executor", "96.21 %, 0.05 s, 504.18 trans/s"},
		{"fetch over HTTPS, in the loop, asynchronous", "100.00 %, 1.10 s, 22.68 trans/s"},
		{"fetch over HTTPS, thread executor", "100.00 %, 2.57 s, 9.67 trans/s"},
		{"fetch over HTTPS, process executor", "100.00 %, 2.73 s, 9.10 trans/s"},
		{"fetch over HTTP and parse 20 times, in the loop", "97.65 %, 28.60 s, 0.83 trans/s"},
		{"fetch over HTTPS and parse 20 times, thread executor", "100.00 %, 35.49 s, 0.66 trans/s"},
		{"fetch over HTTPS and parse 20 times, process executor", "100.00 %, 15.79 s, 1.54 trans/s"},
		{"copy of a file of 69 bytes and fsync, in the loop", "100.00 %, 0.93 s, 26.96 trans/s"},
		{"copy of a file of 69 bytes and fsync, thread executor", "100.00 %, 0.54 s, 46.29 trans/s"},
		{"copy of a file of 69 bytes and fsync, process executor", "100.00 %, 0.53 s, 46.86 trans/s"},
	} {
		all = append(all, record.Published{Source: source, What: f.what, Value: f.value})
	}
	return all
}
