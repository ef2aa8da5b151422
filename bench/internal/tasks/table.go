package tasks

import (
	"fmt"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// The servers of the table "tasks".
const (
	shared     = "offload"
	roundRobin = "offload round robin"
	direct     = "offload.Do"
	unbounded  = "net/http"
	alone      = "workers alone"
	children   = "offload children"
	grandchild = "child" // a process of children
)

var taskServers = []string{unbounded, roundRobin, shared, direct, alone}

// pooled reports whether a server's tasks have a pool.
func pooled(server string) bool { return server != unbounded && server != alone }

func newTasksTable(cores, workers int) *record.Table {
	t := &record.Table{
		Name:  "tasks",
		Title: "Heavy work: gunicorn's scenarios for its dirty workers",
		Note: fmt.Sprintf(`Clients send one request after the other. "offload" is this server with offload.Pool.Middleware and one queue for all
workers, "offload round robin" with a queue for each worker, which is gunicorn's design; "offload.Do" calls the pool without
HTTP, which is how gunicorn's figures were taken; "net/http" has no pool: each client has a goroutine. "workers alone" is what
this machine can do: tasks one after the other on as many goroutines as workers, without queue or HTTP.
Of ideal: requests/s divided by min(workers, clients) / (sleep + compute), but at most %d processors / compute; without a pool the workers are
as many as the clients. Computing is a number of steps that takes its time on a processor of its own; gunicorn's computes until a time
has come, so that it does less of it on fewer processors than workers.
In overload_10ms %d requests may wait, for %d ms; the others are shed: answered with 503 and Retry-After, which clients heed. req/s and
latencies are of what was not shed. In overload_10ms_queued all clients may wait, as in gunicorn's overload_10ms.`,
			cores, overloadQueue*workers, overloadWait.Milliseconds()),
		Keys: []string{"scenario", "server"},
		Columns: []record.Column{
			{Name: "req/s", Format: "%.1f", Better: record.Higher},
			{Name: "of ideal", Format: "%.3f", Better: record.Higher},
			{Name: "p50", Unit: "ms", Format: "%.1f", Better: record.Lower},
			{Name: "p95", Unit: "ms", Format: "%.1f", Better: record.Lower},
			{Name: "p99", Unit: "ms", Format: "%.1f", Better: record.Lower},
			{Name: "max", Unit: "ms", Format: "%.1f"},
			{Name: "failed", Format: "%.0f", Better: record.Lower},
			{Name: "shed", Format: "%.0f"},
			{Name: "shed p99", Unit: "ms", Format: "%.1f", Better: record.Lower},
		},
		Charts: []record.Chart{
			{Name: "tasks_ideal", Title: "Heavy work: throughput, as a share of the ideal", Column: "of ideal", X: "scenario", Series: "server"},
			{Name: "tasks_p99", Title: "Heavy work: p99", Column: "p99", X: "scenario", Series: "server", Log: true},
		},
	}
	for _, p := range []struct{ scenario, rate string }{
		{"baseline_10ms", "81.5"},
		{"throughput_10ms", "334.4"},
		{"cpu_bound_100ms", "39.8"},
		{"io_bound_500ms", "7.9"},
		{"mixed_50_50", "38.5"},
		{"overload_10ms", "334.1"},
	} {
		t.Published = append(t.Published, record.Published{
			Source: "gunicorn, benchmarks/results/queue_refactor_results.json, 24 January 2026",
			What:   p.scenario + ", 4 workers, without HTTP, nothing shed",
			Value:  p.rate + " requests/s, 0 failures",
		})
	}
	return t
}

// A Detail is one round of one scenario and server, with the fields of gunicorn's results.
type Detail struct {
	Timestamp  time.Time `json:"timestamp"`
	Scenario   string    `json:"scenario"`
	Config     Setting   `json:"config"`
	Total      int       `json:"total_requests"` // what was shed included
	Successful int       `json:"successful"`
	Failed     int       `json:"failed"`
	Errors     []string  `json:"errors"` // the first 10
	Duration   float64   `json:"duration_sec"`
	PerSecond  float64   `json:"requests_per_sec"` // successful ones
	Latency    Latency   `json:"latency_ms"`       // of successful ones
}

// A Setting is who did what.
type Setting struct {
	Server  string  `json:"server"`
	Workers int     `json:"workers,omitempty"` // with Queue and WaitMS absent if there is no pool
	Queue   int     `json:"queue,omitempty"`
	WaitMS  int64   `json:"wait_ms,omitempty"`
	Action  string  `json:"task_action"`
	Args    []int64 `json:"task_args"` // milliseconds
	Clients int     `json:"concurrency"`
}

// Latency is how long answers took, in milliseconds; all zero if there were none.
type Latency struct {
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Mean   float64 `json:"mean"`
	StdDev float64 `json:"stddev"`
	P50    float64 `json:"p50"`
	P95    float64 `json:"p95"`
	P99    float64 `json:"p99"`
}

// detail returns what r says of itself.
func (r *result) detail() *Detail {
	d := &Detail{
		Total:      r.total(),
		Successful: int(r.served.TotalCount()),
		Failed:     r.failed,
		Errors:     append([]string{}, r.errors...),
		Duration:   r.elapsed.Seconds(),
	}
	d.PerSecond = float64(d.Successful) / d.Duration
	if h := r.served; d.Successful > 0 {
		d.Latency = Latency{
			Min:    milliseconds(h.Min()),
			Max:    milliseconds(h.Max()),
			Mean:   h.Mean() / 1e3,
			StdDev: h.StdDev() / 1e3,
			P50:    milliseconds(h.ValueAtQuantile(50)),
			P95:    milliseconds(h.ValueAtQuantile(95)),
			P99:    milliseconds(h.ValueAtQuantile(99)),
		}
	}
	return d
}

// milliseconds of microseconds, which is what histograms hold.
func milliseconds(us int64) float64 { return float64(us) / 1e3 }
