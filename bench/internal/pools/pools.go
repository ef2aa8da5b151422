// Package pools compares worker pools with the method of wpool's benchmarks: producers submit short
// jobs as fast as they can.
//
// All pools run in this process, one after the other. Each measurement begins with a new pool that
// has already started its workers.
package pools

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// A Config says what to measure: every job with every number of workers and producers.
type Config struct {
	Jobs      []string // empty, sha256, cpu, io, sleep
	Workers   []int
	Producers []int
	Rounds    int
	Time      time.Duration // the approximate time of one measurement
}

// Quick returns a Config that takes about 20 seconds. That is too short to show small differences.
func Quick() Config {
	return Config{
		Jobs:      []string{empty, "sha256"},
		Workers:   []int{1, 4, 16},
		Producers: []int{1, 16},
		Rounds:    5,
		Time:      20 * time.Millisecond,
	}
}

// Full returns a Config that takes about ten minutes.
func Full() Config {
	return Config{
		Jobs:      jobNames(),
		Workers:   []int{1, 2, 4, 8, 16},
		Producers: []int{1, 2, 4, 8, 16},
		Rounds:    5,
		Time:      100 * time.Millisecond,
	}
}

// rarely means that one of this many jobs is counted while the clock runs.
const rarely = 64

// The names of the columns.
const (
	nsPerJob     = "ns/job"
	bytesPerJob  = "B/job"
	allocsPerJob = "allocs/job"
	ofIdeal      = "of ideal"
)

// Run adds the table "pool" to r. If ctx ends, it returns ctx's error after at most one more
// measurement.
func Run(ctx context.Context, c Config, p *record.Progress, r *record.Run) error {
	if err := c.check(); err != nil {
		return err
	}
	t := c.table()
	r.Tables = append(r.Tables, t)
	defer p.Done()
	numbers := map[string]int{}
	for round := range c.Rounds {
		for _, name := range c.Jobs {
			for _, producers := range c.Producers {
				for _, workers := range c.Workers {
					p.Say("pool, round %d of %d: %s, producers: %d, workers: %d", round+1, c.Rounds, name, producers, workers)
					j, _ := jobOf(name)
					g := group{t, j, load{j.work, producers, workers}, c.Time, numbers}
					if err := g.round(ctx, round); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// check returns an error if c is wrong.
func (c Config) check() error {
	for _, name := range c.Jobs {
		if _, ok := jobOf(name); !ok {
			return fmt.Errorf("pool: there is no job %q, but %s", name, strings.Join(jobNames(), ", "))
		}
	}
	if c.Time <= 0 {
		return fmt.Errorf("pool: a measurement of %v, want more than zero", c.Time)
	}
	for _, n := range slices.Concat(c.Workers, c.Producers) {
		if n < 1 {
			return fmt.Errorf("pool: %d workers or producers, want at least one", n)
		}
	}
	return nil
}

// A group is a set of rows that are compared: they have the same job, producers and workers.
type group struct {
	table   *record.Table
	job     job
	load    load
	time    time.Duration
	numbers map[string]int // the number of jobs in one measurement, by row
}

// row returns the contestant's row.
func (g group) row(contestant string) *record.Row {
	return g.table.Row(g.job.name, strconv.Itoa(g.load.producers), strconv.Itoa(g.load.workers), contestant)
}

// round measures each contestant once. Each round begins with a different contestant.
func (g group) round(ctx context.Context, round int) error {
	took := map[string]float64{}
	for i := range contestants {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c := contestants[(round+i)%len(contestants)]
		row := g.row(c.name)
		id := strings.Join(row.Key, " ")
		if g.numbers[id] == 0 {
			g.numbers[id] = enough(c, g.load, g.time)
			// Once, count all jobs.
			check(row, race(c, g.load, min(g.numbers[id], 4*queue), 1))
		}
		res := race(c, g.load, g.numbers[id], rarely)
		check(row, res)
		n := float64(res.n)
		took[c.name] = float64(res.took.Nanoseconds()) / n
		row.Add(nsPerJob, took[c.name])
		row.Add(bytesPerJob, float64(res.bytes)/n)
		row.Add(allocsPerJob, float64(res.allocs)/n)
	}
	if g.job.name == empty {
		return nil // there is no work to share
	}
	for _, c := range contestants {
		g.row(c.name).Add(ofIdeal, took[ideal]/took[c.name])
	}
	return nil
}

// check marks row as failed unless each counted job has run exactly once.
func check(row *record.Row, r result) {
	if r.ran != r.counted && row.Failed == "" {
		row.Failed = fmt.Sprintf("%d jobs were submitted, and %d have run", r.counted, r.ran)
	}
}
