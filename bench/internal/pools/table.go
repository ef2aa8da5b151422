package pools

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// table returns the table that c fills.
func (c Config) table() *record.Table {
	t := &record.Table{
		Name:     "pool",
		Title:    "Worker pools: the cost of a job",
		Note:     "The jobs:",
		Keys:     []string{"job", "producers", "workers", "pool"},
		Baseline: "channel",
		Columns: []record.Column{
			{Name: nsPerJob, Format: "%.1f", Better: record.Lower},
			{Name: bytesPerJob, Format: "%.1f", Grain: 32},
			{Name: allocsPerJob, Format: "%.2f", Better: record.Lower, Grain: 0.5},
			{Name: ofIdeal, Format: "%.2f"},
		},
		Published: published,
	}
	for _, name := range c.Jobs {
		j, _ := jobOf(name)
		t.Note += fmt.Sprintf(" %s is %s;", j.name, j.what)
	}
	t.Note += fmt.Sprintf(" its own allocations are counted, too. Pools that have a queue have one of %d jobs; ants has none, and goroutines are not bounded.", queue)
	t.Terms = []record.Term{
		{Name: ideal, Meaning: "no pool: so many goroutines, each with a share of the jobs from the beginning; this is the ideal"},
		{Name: ofIdeal, Meaning: "time per job of " + ideal + ", divided by that of the pool"},
	}
	for _, chart := range []struct{ name, title, job, producers string }{
		{"pool-empty", "An empty job, one producer", empty, "1"},
		{"pool-empty-16", "An empty job, 16 producers", empty, "16"},
		{"pool-sha256", "SHA-256 of 8 KiB, one producer", "sha256", "1"},
	} {
		n, _ := strconv.Atoi(chart.producers)
		if !slices.Contains(c.Jobs, chart.job) || !slices.Contains(c.Producers, n) {
			continue
		}
		t.Charts = append(t.Charts, record.Chart{
			Name: chart.name, Title: chart.title, Column: nsPerJob,
			Where: map[string]string{"job": chart.job, "producers": chart.producers},
			X:     "workers", Series: "pool", Lines: true, Log: true,
		})
	}
	return t
}

// published has figures from other machines, all with one producer.
var published = []record.Published{
	{Source: wpool, What: "empty job, 1, 2, 4, 8, 16 workers", Value: "93, 115, 146, 261, 855 ns"},
	{Source: wpool, What: "SHA-256, 1, 2, 4, 8, 16 workers", Value: "4379, 2267, 1200, 683, 557 ns"},
	{Source: wpool, What: "CPU, 1, 4, 8, 16 workers", Value: "40939, 11064, 7395, 5927 ns"},
	{Source: wpool, What: "allocations per job", Value: "0"},
	{Source: sketch, What: "empty job, 1 to 16 workers: a sketch of core/pool", Value: "13-22 ns"},
	{Source: sketch, What: "empty job, 1 to 16 workers: channel", Value: "32-61 ns"},
	{Source: sketch, What: "empty job, 1 to 16 workers: pond", Value: "54-79 ns"},
	{Source: sketch, What: "empty job, 1 to 16 workers: wpool", Value: "119-1363 ns"},
	{Source: sketch, What: "empty job, 1 to 16 workers: ants", Value: "420-504 ns"},
}

const (
	wpool  = "wpool (README of github.com/azargarov/wpool: AMD Ryzen 7 8845HS, Go 1.22)"
	sketch = "this project (go doc ./core/pool: measured when it was designed, on another machine)"
)
