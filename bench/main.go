package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/recycling-go/recycling/bench/internal/longrun"
	"github.com/recycling-go/recycling/bench/internal/places"
	"github.com/recycling-go/recycling/bench/internal/server"
	"github.com/recycling-go/recycling/bench/internal/tasks"
	"github.com/recycling-go/recycling/bench/internal/trial/faults"
	"github.com/recycling-go/recycling/bench/internal/trial/jobs"
	"github.com/recycling-go/recycling/bench/internal/trial/roll"
	"github.com/recycling-go/recycling/bench/internal/trial/soak"
)

func main() {
	places.Main(tasks.Register, longrun.Register)
	if len(os.Args) > 1 {
		switch child := os.Args[2:]; os.Args[1] { // processes that a measurement starts
		case "serve":
			exit(server.Main(child))
		case longrun.ChildArg:
			exit(longrun.ChildMain(child))
		case faults.ServerArg:
			exit(faults.ServerMain(child))
		case tasks.ServerArg:
			exit(tasks.ServerMain(child))
		case roll.ServerArg:
			exit(roll.ServerMain(child))
		case jobs.ProcessArg:
			exit(jobs.ProcessMain(child))
		case soak.ServerArg:
			exit(soak.ServerMain(child))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process
	exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// exit ends the process. By then all servers have been stopped.
func exit(err error) {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	case errors.Is(err, errUsage):
		os.Exit(2)
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "bench: interrupted")
		os.Exit(130)
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// errUsage is returned for wrong arguments, after they have been reported.
var errUsage = errors.New("usage")

// run runs the program. Without arguments it runs the command all.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	name := "all"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		name, args = args[0], args[1:]
	}
	c := command{name: name, ctx: ctx, stdout: stdout, stderr: stderr}
	c.flags = flag.NewFlagSet("bench "+name, flag.ContinueOnError)
	c.flags.SetOutput(stderr)
	c.flags.Usage = c.usage
	for _, v := range verbs {
		if v.name == name {
			c.verb = v
			return v.run(&c, args)
		}
	}
	c.usage()
	return c.wrong("there is no command %q", name)
}

// A command is one call of the program.
type command struct {
	verb
	name           string
	ctx            context.Context
	flags          *flag.FlagSet
	stdout, stderr io.Writer
}

// parse parses the flags and the arguments after them, which want names.
func (c *command) parse(args []string, want ...string) error {
	switch err := c.flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return errUsage
	case c.flags.NArg() > len(want):
		return c.wrong("there is no argument %q", c.flags.Arg(len(want)))
	case c.flags.NArg() < len(want):
		return c.wrong("%s is missing", want[c.flags.NArg()])
	}
	return nil
}

// wrong prints what is wrong with the arguments.
func (c *command) wrong(format string, args ...any) error {
	fmt.Fprintf(c.stderr, "bench: %s; see bench -h\n", fmt.Sprintf(format, args...))
	return errUsage
}

// A verb is a command of the program.
type verb struct {
	name, args, about string
	run               func(c *command, args []string) error
}

var verbs []verb

func init() { // not a literal, because usage refers to verbs
	verbs = append(verbs, verb{"all", "", "measures everything from connections to longrun", measure})
	for _, p := range parts {
		verbs = append(verbs, verb{p.name, "", p.about, measure})
	}
	verbs = append(verbs,
		verb{"report", "FILE", "writes the page, pictures and tables of an earlier run again", writeReport},
		verb{"compare", "OLD NEW", "says what differs between two runs by more than noise", compare},
		verb{"faults", "", "tries fifty things that go wrong in production, here and under net/http", findFaults},
		verb{"applications", "", "builds public applications plain and by recycle, and compares the programs", tryApplications},
		verb{"roll", "", "restarts servers in turn behind nginx and haproxy, and counts requests that fail", rollOut},
		verb{"jobs", "", "kills workers and NATS servers on three hosts, and checks that no task is lost", runJobs},
	)
	for _, t := range trials {
		verbs = append(verbs, verb{t.name, "", t.about, try})
	}
}

func (c *command) usage() {
	fmt.Fprint(c.stderr, "Compares this project with its peers on this machine.\n\n\tgo run ./bench [command] [flags]\n\n")
	for _, v := range verbs {
		fmt.Fprintf(c.stderr, "\t%-21s %s\n", v.name+" "+v.args, v.about)
	}
	fmt.Fprint(c.stderr, `
Without a command, bench runs all, which takes five to six minutes. Columns called x are ratios to the baseline, which
is net/http where servers are compared. Leave the machine alone meanwhile: other programs make the figures unsteady.
`)
	some := false
	c.flags.VisitAll(func(*flag.Flag) { some = true })
	if some {
		fmt.Fprintf(c.stderr, "\nFlags of %s:\n", c.name)
		c.flags.PrintDefaults()
	}
}
