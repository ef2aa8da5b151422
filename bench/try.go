package main

import (
	"context"
	"io"
	"strings"

	"github.com/recycling-go/recycling/bench/internal/faults"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/soak"
)

// findFaults is the command faults.
func findFaults(c *command, args []string) error {
	var config faults.Config
	c.flags.BoolVar(&config.Short, "short", false, "half a minute instead of two")
	rows := c.flags.String("rows", "", "only these rows, as `N,N,...`")
	if err := c.parse(args); err != nil {
		return err
	}
	if *rows != "" {
		config.Rows = strings.Split(*rows, ",")
	}
	p := record.NewProgress(c.stderr)
	defer p.Done()
	return faults.Run(c.ctx, config, p, c.stdout)
}

// A trial keeps a server under strain, and fails if what it finds in the end does not add up.
type trial struct {
	name, about string
	run         func(context.Context, soak.Config, *record.Progress, io.Writer) error
}

var trials = []trial{
	{"soak", "mixed traffic with random faults, and the balance in the end", soak.Soak},
	{"overload", "ten times the load that the server can bear: goodput, refusals, recovery", soak.Overload},
	{"crowd", "thousands of slow clients beside good ones", soak.Crowd},
	{"churn", "a million short connections: nothing may be left of them", soak.Churn},
}

// try is the command of a trial.
func try(c *command, args []string) error {
	var config soak.Config
	c.flags.StringVar(&config.Server, "server", "", "`NAME` of the server: recycling (the default), pool or net/http")
	c.flags.DurationVar(&config.Duration, "d", 0, "how long; 0: as long as is good for the trial")
	c.flags.IntVar(&config.Connections, "n", 0, "`number` of connections of churn; 0: a million")
	c.flags.Uint64Var(&config.Seed, "seed", 0, "`number` that chance begins with; 0: any, which is printed")
	if err := c.parse(args); err != nil {
		return err
	}
	p := record.NewProgress(c.stderr)
	defer p.Done()
	for _, t := range trials {
		if t.name == c.name {
			return t.run(c.ctx, config, p, c.stdout)
		}
	}
	panic("bench: BUG: no trial " + c.name)
}
