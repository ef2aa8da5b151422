package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// sampleRun returns a run like those of bench, with invented figures.
func sampleRun() *record.Run {
	rnd := rand.New(rand.NewPCG(1, 2))
	return &record.Run{
		Time:    time.Date(2026, 5, 4, 12, 30, 0, 0, time.UTC),
		Args:    []string{"all", "-full"},
		Machine: record.Machine{CPUs: 2, Model: "Example CPU @ 2.50GHz", System: "linux/amd64", Go: "go1.26.8", Kernel: "6.18.5", Memory: 8 << 30},
		Modules: map[string]string{"github.com/valyala/fasthttp": "v1.70.0", "github.com/cloudwego/hertz": "v0.10.4", "vcs.revision": "0123abcd"},
		Tables:  []*record.Table{sampleConnections(rnd), sampleIdle(rnd), samplePool(rnd), sampleTasks(rnd)},
	}
}

// around adds rounds that scatter around v by a share of it.
func around(rnd *rand.Rand, row *record.Row, column string, v, share float64, rounds int) {
	for range rounds {
		row.Add(column, v*(1+share*(2*rnd.Float64()-1)))
	}
}

func sampleConnections(rnd *rand.Rand) *record.Table {
	t := &record.Table{
		Name: "connections", Title: "Connections: cost of a request, 100 connections", Baseline: "net/http",
		Subject: "recycling", References: []string{"recycling, pool", "the floor"},
		Terms: []record.Term{{Name: "fasthttp", Meaning: "a server without net/http"}, {Name: "the floor", Meaning: "the least that a server can do"}},
		Keys:  []string{"scenario", "server"},
		Note:  "CPU is that of the server process, for each request. The client shares the processors.",
		Columns: []record.Column{
			{Name: "requests", Unit: "/s", Format: "%.0f", Better: record.Higher},
			{Name: "CPU per request", Unit: "µs", Format: "%.1f", Better: record.Lower},
			{Name: "p99", Unit: "ms", Format: "%.2f", Better: record.Lower},
			{Name: "errors", Format: "%.0f", Better: record.Lower},
			{Name: "not here", Unit: "MiB", Format: "%.1f"},
		},
		Charts: []record.Chart{
			{Name: "connections-cpu", Title: "CPU per request", Column: "CPU per request", X: "scenario", Series: "server"},
			{Name: "connections-rate", Title: "Requests per second", Column: "requests", X: "scenario", Series: "server"},
			{Name: "close-p99", Title: "99 % of requests are answered within, with a new connection for each", Column: "p99", X: "scenario", Series: "server", Where: map[string]string{"scenario": "close, 0 ms"}, Log: true},
		},
		Published: []record.Published{
			{Source: "Hunchentoot's recycling taskmaster", What: "100 connections, 1 ms, close: Hunchentoot", Value: "4,288 requests/s"},
			{Source: "Hunchentoot's recycling taskmaster", What: "100 connections, 1 ms, close: with the recycling taskmaster", Value: "12,579 requests/s"},
		},
	}
	cost := map[string]float64{"close, 0 ms": 60, "close, 1 ms": 66, "keep-alive, 0 ms": 21, "keep-alive, 1 ms": 28}
	share := []struct {
		server string
		of     float64
	}{{"net/http", 1}, {"recycling", 0.47}, {"recycling, pool", 0.55}, {"fasthttp", 0.6}, {"hertz", 0.72}, {"nginx", 0.4}, {"the floor", 0.28}}
	for _, scenario := range []string{"close, 0 ms", "close, 1 ms", "keep-alive, 0 ms", "keep-alive, 1 ms"} {
		for _, s := range share {
			row := t.Row(scenario, s.server)
			c := cost[scenario] * s.of
			if s.server == "hertz" && scenario == "close, 1 ms" {
				row.Failed = "23 errors: read: connection reset by peer"
				continue
			}
			around(rnd, row, "CPU per request", c, 0.06, 5)
			around(rnd, row, "requests", 1.2e6/(c+14), 0.1, 5)
			around(rnd, row, "p99", 0.3+c/9, 0.25, 5)
			around(rnd, row, "errors", 0, 0, 5)
		}
	}
	return t
}

func sampleIdle(rnd *rand.Rand) *record.Table {
	t := &record.Table{
		Name: "idle", Title: "Idle: memory of connections that wait", Baseline: "net/http",
		Subject: "recycling", References: []string{"recycling, chi"},
		Keys:    []string{"connections", "server"},
		Columns: []record.Column{{Name: "memory per connection", Unit: "KiB", Format: "%.1f", Better: record.Lower}, {Name: "memory", Unit: "MiB", Format: "%.0f", Better: record.Lower}},
		Charts: []record.Chart{
			{Name: "idle-each", Title: "Memory per idle connection", Column: "memory per connection", X: "connections", Series: "server", Lines: true},
			{Name: "idle-all", Title: "Memory of all idle connections", Column: "memory", X: "connections", Series: "server", Lines: true, Log: true},
		},
	}
	for _, n := range []int{1000, 5000, 10000} {
		for _, s := range []struct {
			server    string
			each, all float64
		}{{"net/http", 15, 4}, {"recycling", 0.6, 6}, {"recycling, chi", 0.65, 6}, {"fasthttp", 5, 5}, {"nginx", 1.1, 7}} {
			row := t.Row(fmt.Sprint(n), s.server)
			around(rnd, row, "memory per connection", s.each+500/float64(n), 0.05, 5)
			around(rnd, row, "memory", s.all+s.each*float64(n)/1024, 0.05, 5)
		}
	}
	return t
}

func samplePool(rnd *rand.Rand) *record.Table {
	t := &record.Table{
		Name: "pool", Title: "Pools: what a task costs beside its own work", Baseline: "goroutine for each",
		Keys:    []string{"workers", "contestant"},
		Columns: []record.Column{{Name: "time per task", Unit: "ns", Format: "%.0f", Better: record.Lower}, {Name: "allocations", Unit: "/task", Format: "%.2f", Better: record.Lower}},
		Charts:  []record.Chart{{Name: "pool", Title: "Time per task", Column: "time per task", X: "workers", Series: "contestant", Lines: true}},
	}
	for _, n := range []int{1, 2, 4, 8, 16} {
		for i, name := range []string{"goroutine for each", "recycling/pool", "pond", "ants", "channel and workers"} {
			row := t.Row(fmt.Sprint(n), name)
			around(rnd, row, "time per task", []float64{310, 95, 620, 350, 180}[i]*(1+0.25*math.Log2(float64(n))/(1+float64(i))), 0.08, 5)
			around(rnd, row, "allocations", []float64{2, 0, 3, 1, 0}[i], 0, 5)
		}
	}
	return t
}

func sampleTasks(rnd *rand.Rand) *record.Table {
	t := &record.Table{
		Name: "tasks", Title: "Tasks: a heavy route beside a light one",
		Keys:    []string{"server"},
		Columns: []record.Column{{Name: "light route, p99", Unit: "ms", Format: "%.1f", Better: record.Lower}},
		Charts:  []record.Chart{{Name: "tasks", Title: "The light route's p99", Column: "light route, p99", X: "server", Series: "server"}},
	}
	for i, name := range []string{"net/http", "recycling", "recycling with offload", "a server with quite a long name and <b>signs</b> & so on"} {
		around(rnd, t.Row(name), "light route, p99", []float64{180, 150, 9, 0}[i], 0.2, 5)
	}
	return t
}
