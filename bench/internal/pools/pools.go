// Package pools compares worker pools, as wpool's benchmarks do: short jobs from producers that submit as fast as they can.
//
// All contestants run in this process and take turns. Each race begins with a new pool, whose workers exist already.
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

// A Config says what is measured: every job with every number of workers and of producers.
type Config struct {
	Jobs      []string // empty, sha256, cpu, io, sleep
	Workers   []int
	Producers []int
	Rounds    int
	Time      time.Duration // of one measurement, about
}

// Quick returns what takes about ten seconds: enough to see who is how far away, and not who is ahead by a little.
func Quick() Config {
	return Config{
		Jobs:      []string{empty, "sha256"},
		Workers:   []int{1, 4, 16},
		Producers: []int{1, 16},
		Rounds:    3,
		Time:      20 * time.Millisecond,
	}
}

// Full returns what takes about ten minutes.
func Full() Config {
	return Config{
		Jobs:      jobNames(),
		Workers:   []int{1, 2, 4, 8, 16},
		Producers: []int{1, 2, 4, 8, 16},
		Rounds:    5,
		Time:      100 * time.Millisecond,
	}
}

// rarely is how few jobs are counted while the clock runs: one of so many.
const rarely = 64

// Columns.
const (
	nsPerJob     = "ns/job"
	bytesPerJob  = "B/job"
	allocsPerJob = "allocs/job"
	ofIdeal      = "of ideal"
)

// Run adds table "pool" to r. It returns ctx's error if that ended first, at the latest after one more measurement.
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

// check says what is wrong with c.
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

// A group is rows that are compared: the same job, producers and workers.
type group struct {
	table   *record.Table
	job     job
	load    load
	time    time.Duration
	numbers map[string]int // how many jobs are one measurement, by row
}

// row returns the contestant's row.
func (g group) row(contestant string) *record.Row {
	return g.table.Row(g.job.name, strconv.Itoa(g.load.producers), strconv.Itoa(g.load.workers), contestant)
}

// round measures each contestant once. They take turns in being the first.
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
			check(row, race(c, g.load, min(g.numbers[id], 4*queue), 1)) // once, all jobs are counted
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
		return nil // there is nothing to share out
	}
	for _, c := range contestants {
		g.row(c.name).Add(ofIdeal, took[ideal]/took[c.name])
	}
	return nil
}

// check sees to it that all jobs have run, and once.
func check(row *record.Row, r result) {
	if r.ran != r.counted && row.Failed == "" {
		row.Failed = fmt.Sprintf("%d jobs were submitted, and %d have run", r.counted, r.ran)
	}
}
