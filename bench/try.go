package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/trial/applications"
	"github.com/recycling-go/recycling/bench/internal/trial/faults"
	"github.com/recycling-go/recycling/bench/internal/trial/hosts"
	"github.com/recycling-go/recycling/bench/internal/trial/jobs"
	"github.com/recycling-go/recycling/bench/internal/trial/roll"
	"github.com/recycling-go/recycling/bench/internal/trial/soak"
)

// list defines a flag whose value is a list with commas. If it is not set, or empty, p is not
// changed.
func (c *command) list(p *[]string, name, usage string) {
	c.flags.Func(name, usage, func(value string) error {
		if value != "" {
			*p = strings.Split(value, ",")
		}
		return nil
	})
}

// findFaults is the command faults.
func findFaults(c *command, args []string) error {
	var config faults.Config
	c.flags.BoolVar(&config.Short, "short", false, "fewer connections and rounds: less than a minute")
	c.list(&config.Rows, "rows", "carry out only the rows with these `numbers`, such as 3,17")
	if err := c.parse(args); err != nil {
		return err
	}
	p := record.NewProgress(c.stderr)
	defer p.Done()
	return faults.Run(c.ctx, config, p, c.stdout)
}

// rollOut is the command roll.
func rollOut(c *command, args []string) error {
	var config roll.Config
	c.flags.DurationVar(&config.Duration, "d", 30*time.Second, "how long servers of each kind are restarted")
	c.flags.DurationVar(&config.LameDuck, "lame", 3*time.Second, "the `LameDuck` of the servers")
	c.flags.IntVar(&config.Clients, "clients", 8, "how many clients each proxy has")
	servers := c.flags.String("servers", "recycling,fixed,net/http", "which `servers`; the strategy goroutine may be one of them")
	proxies := c.flags.String("proxies", "nginx,haproxy", "which `proxies` are in front of them, all at the same time")
	if err := c.parse(args); err != nil {
		return err
	}
	config.Servers, config.Proxies = strings.Split(*servers, ","), strings.Split(*proxies, ",")
	p := record.NewProgress(c.stderr)
	defer p.Done()
	return roll.Run(c.ctx, config, p, c.stdout)
}

// tryApplications is the command applications.
func tryApplications(c *command, args []string) error {
	var config applications.Config
	c.list(&config.Apps, "apps", "`names` of applications, or files that describe them, instead of all in the list")
	c.list(&config.Parts, "parts", "some of the `parts` "+strings.Join(applications.Parts, ",")+"; default: all but cold, which builds with an empty cache")
	c.flags.IntVar(&config.Rounds, "rounds", 5, "how often the programs are measured")
	c.flags.DurationVar(&config.Duration, "d", 2*time.Second, "how long each load lasts")
	c.flags.StringVar(&config.Recycle, "recycle", "", "the `program` recycle; default: it is built from core/cmd/recycle")
	c.flags.StringVar(&config.Dir, "dir", "", "`folder` for modules and programs; default: a temporary one")
	c.flags.StringVar(&config.Out, "o", "", "`folder` that applications.json and applications.md are written to")
	if err := c.parse(args); err != nil {
		return err
	}
	p := record.NewProgress(c.stderr)
	defer p.Done()
	return applications.Run(c.ctx, config, p, c.stdout)
}

// runJobs is the command jobs.
func runJobs(c *command, args []string) error {
	var config jobs.Config
	c.flags.IntVar(&config.Tasks, "n", 0, "`number` of tasks that are enqueued; 0: 10,000")
	c.flags.IntVar(&config.Kills, "kills", 0, "`number` of processes that are killed meanwhile; 0: 100; negative: none")
	c.flags.DurationVar(&config.Duration, "d", 0, "how long that takes; 0: 5 minutes")
	c.flags.DurationVar(&config.Settle, "settle", 0, "how long all tasks may take to be done after that; 0: 3 minutes")
	c.flags.IntVar(&config.Rolls, "rolls", 0, "`number` of workers that are replaced under load; 0: 100; negative: none")
	c.flags.IntVar(&config.Machines, "machines", 0, "how `often` a whole machine is killed under load; 0: 3; negative: never")
	c.flags.BoolVar(&config.Local, "local", false, "without network namespaces: no partition, no full disk, no machines")
	c.flags.Uint64Var(&config.Seed, "seed", 0, "`number` that makes the random choices the same again; 0: a new one, which is printed")
	c.flags.StringVar(&config.Dir, "dir", "", "`folder` for logs, ledgers and stores, which is kept; default: a temporary one")
	if err := c.parse(args); err != nil {
		return err
	}
	p := record.NewProgress(c.stderr)
	defer p.Done()
	err := jobs.Run(c.ctx, config, p, c.stdout)
	if errors.Is(err, hosts.ErrUnsupported) {
		fmt.Fprintf(c.stdout, "skipped: %v\n", err)
		return nil
	}
	return err
}

// A trial puts a server under stress. It returns an error if requests or resources are lost, or if
// a target is missed.
type trial struct {
	name, about string
	run         func(context.Context, soak.Config, *record.Progress, io.Writer) error
}

var trials = []trial{
	{"soak", "mixes traffic with random faults, and checks that nothing is lost or left over", soak.Soak},
	{"overload", "sends ten times the load that the server can bear, and checks its targets", soak.Overload},
	{"crowd", "measures good clients beside thousands of slow ones", soak.Crowd},
	{"churn", "opens a million short connections, and checks that nothing is left of them", soak.Churn},
}

// try is the command of a trial.
func try(c *command, args []string) error {
	var config soak.Config
	c.flags.StringVar(&config.Server, "server", "", "`NAME` of the server: recycling (the default), pool or net/http")
	c.flags.DurationVar(&config.Duration, "d", 0, "how long the load lasts; 0: the default of the command")
	c.flags.IntVar(&config.Connections, "n", 0, "`number` of connections that churn opens; 0: a million")
	c.flags.Uint64Var(&config.Seed, "seed", 0, "`number` that makes soak's random choices the same again; 0: a new one, which is printed")
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
