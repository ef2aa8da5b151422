// Command drain stops small applications of each framework while they are busy, and counts the
// requests that their clients lose.
//
//	go run ./examples/internal/drain -clients 1000 -rounds 100
//
// The applications are in internal/scenario: each is the framework's own example of a graceful
// shutdown, with one line added or changed. Each round starts one application. The clients, half of
// which use keep-alive connections, repeatedly request a response that takes 5 ms. Then the
// application gets SIGTERM, its own code shuts it down, and it must exit by itself with status 0.
// Columns:
//
//	answered     requests with a complete response
//	in flight    those of them that were sent before the signal and answered after it
//	lost         sent before the signal (the kernel had taken their bytes) and not answered
//	truncated    sent after the signal, and answered in part
//	raced idle   sent after the signal on a kept connection, which was closed without a response;
//	             or not sent, because the server had closed the connection
//	raced reset  likewise, but reset: the server closed the connection with the request unread
//	raced new    sent after the signal on a new connection that was not served
//	exit         rounds in which the process did not exit with status 0
//
// It is a trial like those in bench/internal/trial, but it builds and starts the applications of
// this module. If it were in bench, bench would have to require examples, which requires other
// versions of the frameworks. Here it cannot import the internal packages of bench, so it starts
// processes by itself.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"
)

var verbose = flag.Bool("v", false, "say how each request was lost")

func main() {
	clients := flag.Int("clients", 100, "how many `clients` there are")
	rounds := flag.Int("rounds", 2, "how many `rounds` for each framework and strategy")
	frameworks := flag.String("frameworks", "chi,echo,echo5,gin", "which frameworks")
	strategies := flag.String("strategies", "goroutine,recycling,pool", "which strategies")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, strings.Split(*frameworks, ","), strings.Split(*strategies, ","), *clients, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "drain:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, frameworks, strategies []string, clients, rounds int) error {
	dir, err := os.MkdirTemp("", "recycling-drain-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "framework\tstrategy\trounds\tanswered\tin flight\tlost\ttruncated\traced idle\traced reset\traced new\texit\tseconds\t")
	var failed error
	for _, framework := range frameworks {
		program, err := build(ctx, dir, framework)
		if err != nil {
			return err
		}
		for _, strategy := range strategies {
			begin := time.Now()
			var sum result
			for range rounds {
				r, err := round(ctx, program, strategy, clients)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					failed = fmt.Errorf("%s with %s: %w", framework, strategy, err)
					r.badExits++
				}
				sum.add(r)
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.0f\t\n", framework, strategy, rounds, sum.answered, sum.inFlight,
				sum.lost, sum.truncated, sum.racedIdle, sum.racedReset, sum.racedNew, sum.badExits, time.Since(begin).Seconds())
		}
	}
	w.Flush()
	return failed
}
