package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/recycling-go/recycling/bench/internal/connections"
	"github.com/recycling-go/recycling/bench/internal/longrun"
	"github.com/recycling-go/recycling/bench/internal/pools"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/report"
	"github.com/recycling-go/recycling/bench/internal/tasks"
)

// Options are the flags of the command all and of the parts.
type options struct {
	full   bool
	rounds int // zero means the default of the part
	cores  int
	wrk    bool
	dir    string
}

// A part is one measurement. It adds tables to a run.
type part struct {
	name, about string
	alone       bool // not part of the command all
	measure     func(context.Context, options, *record.Progress, *record.Run) error
}

var parts = []part{
	{"connections", "servers under load: CPU, requests per second, latency, for new and for kept connections", false, onConnections(connections.Run)},
	{"loads", "servers under load of 1 to 1,000 connections that are all active", false, onConnections(connections.Loads)},
	{"alternating", "servers under a load that changes between 1, 100 and 1,000 active connections", false, onConnections(connections.Alternating)},
	{"tls", "requests over TLS: new and kept connections, and HTTP/2", false, onConnections(connections.TLS)},
	{"bodies", "responses of 100 kB, and uploads of 64 KiB", false, onConnections(connections.Bodies)},
	{"light", "latency of a route that answers at once, beside connections that compute", false, onConnections(connections.Light)},
	{"idle", "memory of idle connections", false, onConnections(connections.Idle)},
	{"growth", "CPU and memory of up to 10,000 connections, of which 5 % are active", false, onConnections(connections.Growth)},
	{"observed", "servers under load with and without an Observer that measures each request", true, onConnections(connections.Observed)},
	{"pool", "worker pools: cost of a job that does nothing, hashes or sleeps", false, onPools},
	{"tasks", "heavy requests on a few workers: the benchmark of gunicorn's dirty workers", false, onTasks},
	{"longrun", "long-running work inside a server: a benchmark of Tornado", false, onLongrun},
}

type connectionsPart func(context.Context, connections.Config, *record.Progress, *record.Run) error

func onConnections(measure connectionsPart) func(context.Context, options, *record.Progress, *record.Run) error {
	return func(ctx context.Context, o options, p *record.Progress, r *record.Run) error {
		c := pick(o, connections.Quick, connections.Full)
		c.Rounds = rounds(o, c.Rounds)
		c.Procs, c.Wrk = o.cores, o.wrk
		return measure(ctx, c, p, r)
	}
}

func onPools(ctx context.Context, o options, p *record.Progress, r *record.Run) error {
	c := pick(o, pools.Quick, pools.Full)
	c.Rounds = rounds(o, c.Rounds)
	return pools.Run(ctx, c, p, r)
}

func onTasks(ctx context.Context, o options, p *record.Progress, r *record.Run) error {
	c := pick(o, tasks.Quick, tasks.Full)
	c.Rounds = rounds(o, c.Rounds)
	return tasks.Run(ctx, c, p, r)
}

func onLongrun(ctx context.Context, o options, p *record.Progress, r *record.Run) error {
	c := pick(o, longrun.Quick, longrun.Full)
	c.Rounds = rounds(o, c.Rounds)
	return longrun.Run(ctx, c, p, r)
}

func pick[C any](o options, quick, full func() C) C {
	if o.full {
		return full()
	}
	return quick()
}

func rounds(o options, n int) int {
	if o.rounds > 0 {
		return o.rounds
	}
	return n
}

// measure is the command of a part, or the command all.
func measure(c *command, args []string) error {
	var o options
	c.flags.BoolVar(&o.full, "full", false, "measure every server, number of connections and router, and for longer")
	c.flags.IntVar(&o.rounds, "rounds", 0, "number of `rounds`; 0: the default of each part")
	c.flags.IntVar(&o.cores, "cores", 0, "`number` of processors that the servers of connections to growth may use; 0: all")
	c.flags.BoolVar(&o.wrk, "wrk", false, "measure connections with wrk as well, if it is installed")
	c.flags.StringVar(&o.dir, "o", "bench-results", "`FOLDER` for the samples and the report")
	all := append([]string{c.name}, args...)
	if err := c.parse(args); err != nil {
		return err
	}
	switch {
	case o.rounds < 0:
		return c.wrong("-rounds is %d, want 0 or more", o.rounds)
	case o.cores < 0:
		return c.wrong("-cores is %d, want 0 or more", o.cores)
	}
	r := record.New(all)
	p := record.NewProgress(c.stderr)
	var err error
	for _, part := range parts {
		if part.name != c.name && (part.alone || c.name != "all") {
			continue
		}
		if err = part.measure(c.ctx, o, p, r); err != nil {
			err = fmt.Errorf("%s: %w", part.name, err)
			break
		}
	}
	p.Done()
	// What was measured before an error is kept.
	return errors.Join(err, c.keep(r, o.dir), r.Err())
}

// keep prints a run and writes its files.
func (c *command) keep(r *record.Run, dir string) error {
	r.Drop()
	if len(r.Tables) == 0 {
		return nil
	}
	r.WriteText(c.stdout)
	if err := report.Write(dir, r); err != nil {
		return err
	}
	samples := filepath.Join(dir, r.Time.Format("20060102-150405")+".json")
	if err := r.Write(samples); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "\nWritten: %s, and all samples: %s\n", filepath.Join(dir, "report.html"), samples)
	return nil
}

// writeReport is the command report.
func writeReport(c *command, args []string) error {
	dir := c.flags.String("o", "bench-results", "`FOLDER` for the report")
	if err := c.parse(args, "the file of a run"); err != nil {
		return err
	}
	r, err := record.Read(c.flags.Arg(0))
	if err != nil {
		return err
	}
	return report.Write(*dir, r)
}

// compare is the command compare.
func compare(c *command, args []string) error {
	if err := c.parse(args, "the file of the old run", "the file of the new run"); err != nil {
		return err
	}
	old, err := record.Read(c.flags.Arg(0))
	if err != nil {
		return err
	}
	new, err := record.Read(c.flags.Arg(1))
	if err != nil {
		return err
	}
	_, err = report.Compare(c.stdout, old, new)
	return err
}
