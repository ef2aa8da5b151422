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
	grandchild = "child" // a process that children starts
)

var taskServers = []string{unbounded, roundRobin, shared, direct, alone}

// pooled reports whether a server runs its tasks in a pool.
func pooled(server string) bool { return server != unbounded && server != alone }

func newTasksTable(cores, workers int) *record.Table {
	t := &record.Table{
		Name:  "tasks",
		Title: "Heavy work: gunicorn's scenarios for its dirty workers",
		Note: fmt.Sprintf(`Each client sends its next request when it has the answer to the last. In overload_10ms %d requests may wait, for %d ms at most; the others
are answered with 503 and Retry-After, which clients obey. These are counted as shed; requests per second and latencies are those of the other
answers. In overload_10ms_queued all clients may wait, as in gunicorn's own overload_10ms. Gunicorn's tasks compute until a time has come, so
they do less when there are more workers than processors; here a task is a number of steps.`,
			overloadQueue*workers, overloadWait.Milliseconds()),
		Terms: []record.Term{
			{Name: unbounded, Meaning: "no pool; each client's request has a goroutine"},
			{Name: shared, Meaning: "recycling with offload.Pool.Middleware: one queue for all workers"},
			{Name: roundRobin, Meaning: "the same with a queue for each worker, which is gunicorn's design"},
			{Name: direct, Meaning: "calls of the pool without HTTP, which is how gunicorn's figures were taken"},
			{Name: alone, Meaning: "no queue and no HTTP: as many goroutines as workers do one task after the other, which is what this machine can do"},
			{Name: "of ideal", Meaning: fmt.Sprintf("requests per second, divided by what so many workers could do without any loss on %d processors", cores)},
		},
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
			{Name: "tasks_p99", Title: "Heavy work: p99", Column: "p99", X: "scenario", Series: "server"},
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

// A Detail describes one round of one scenario and server, with the fields of gunicorn's results.
type Detail struct {
	Timestamp  time.Time `json:"timestamp"`
	Scenario   string    `json:"scenario"`
	Config     Setting   `json:"config"`
	Total      int       `json:"total_requests"` // including shed requests
	Successful int       `json:"successful"`
	Failed     int       `json:"failed"`
	Errors     []string  `json:"errors"` // the first 10
	Duration   float64   `json:"duration_sec"`
	PerSecond  float64   `json:"requests_per_sec"` // successful requests
	Latency    Latency   `json:"latency_ms"`       // of successful requests
}

// A Setting describes the server, the task and the clients.
type Setting struct {
	Server  string  `json:"server"`
	Workers int     `json:"workers,omitempty"` // like Queue and WaitMS, absent if there is no pool
	Queue   int     `json:"queue,omitempty"`
	WaitMS  int64   `json:"wait_ms,omitempty"`
	Action  string  `json:"task_action"`
	Args    []int64 `json:"task_args"` // milliseconds
	Clients int     `json:"concurrency"`
}

// Latency has the response times in milliseconds. All are zero if there were no responses.
type Latency struct {
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Mean   float64 `json:"mean"`
	StdDev float64 `json:"stddev"`
	P50    float64 `json:"p50"`
	P95    float64 `json:"p95"`
	P99    float64 `json:"p99"`
}

// detail returns the figures of r as a Detail.
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

// milliseconds converts from microseconds, the unit of the histograms.
func milliseconds(us int64) float64 { return float64(us) / 1e3 }
