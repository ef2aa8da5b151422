package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// Options are what the flags say.
type options struct {
	duration time.Duration // of one measurement
	rounds   int
	conns    int           // under load
	idle     int           // idle connections; zero means not to measure them
	settle   time.Duration // how long idle connections are left alone before memory is read
	json     string
}

// strategies are compared with the first.
var strategies = []recycling.Strategy{recycling.Goroutine, recycling.Recycling, recycling.Pool}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		exit(serve(os.Args[2:]))
	}
	o, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		exit(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, o, os.Stdout, os.Stderr))
}

// exit ends the process. Servers are gone by then.
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

var errUsage = errors.New("usage")

const help = `Compares strategies recycling and pool with goroutine, which is net/http itself, on this machine.

	go run ./bench [flags]

It takes a minute and a half. Each server is a process of its own, loaded in turn by -c connections
in a closed loop:

	close, keep                GET /yo, a new connection for each request or connections that stay
	sleep1-close, sleep1-keep  the same with a handler that sleeps for 1 ms
	idle                       resident memory per idle keep-alive connection (Linux)

Printed are medians of all rounds, and their ratios to goroutine's. CPU is user and system time of
the server process for each request: the figure to compare, because client and server
share the processors. With nothing else to do, the machine gives steadier figures.

Flags:
`

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{settle: time.Second}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.DurationVar(&o.duration, "d", 2*time.Second, "`time` of one measurement; there are 12 in a round")
	f.IntVar(&o.rounds, "rounds", 3, "`number` of rounds; each measures every strategy in every scenario")
	f.IntVar(&o.conns, "c", 100, "`number` of connections under load")
	f.IntVar(&o.idle, "n", 2000, "`number` of idle connections; 0 leaves idle out")
	f.StringVar(&o.json, "json", "", "write every sample to `FILE`, as JSON")
	f.Usage = func() {
		fmt.Fprint(stderr, help)
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, errUsage
	}
	var wrong string
	switch {
	case f.NArg() > 0:
		wrong = fmt.Sprintf("there is no argument %q", f.Arg(0))
	case o.duration <= 0:
		wrong = fmt.Sprintf("-d is %v, want more than zero", o.duration)
	case o.rounds <= 0:
		wrong = fmt.Sprintf("-rounds is %d, want 1 or more", o.rounds)
	case o.conns <= 0:
		wrong = fmt.Sprintf("-c is %d, want 1 or more", o.conns)
	case o.idle < 0:
		wrong = fmt.Sprintf("-n is %d, want 0 or more", o.idle)
	default:
		return o, nil
	}
	fmt.Fprintf(stderr, "bench: %s; see bench -h\n", wrong)
	return o, errUsage
}
