package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// Of Overload. A request needs one of a few slots for a few milliseconds, as of connections to a database, so that the
// capacity is known and ten times of it can be sent from the same machine.
const (
	slots     = 4
	hold      = 5 * time.Millisecond
	queue     = 16                    // some 20 ms of work
	queueWait = 40 * time.Millisecond // less than a refusal may take
	tenfold   = 10

	clientPatience = time.Second            // an answer that comes later is none
	slow           = 250 * time.Millisecond // an answer that comes later is not yet recovery
)

// Overload finds the capacity of the server, sends ten times as much in an open loop for cfg.Duration, and then
// half of it. It writes to w what came of it, and the closing balance. It returns an error if the balance of cfg.Server
// does not hold, or when ctx ends.
func Overload(ctx context.Context, cfg Config, progress *record.Progress, w io.Writer) (err error) {
	defer func() { err = endedBy(ctx, err) }()
	cfg, err = cfg.filled(time.Minute)
	if err != nil {
		return err
	}
	defer progress.Done()
	fmt.Fprintf(w, "overload: a handler that needs one of %d slots for %v; recycling has as many workers, a queue of %d and %v; clients wait for %v\n",
		slots, hold, queue, queueWait, clientPatience)
	var all error
	for _, name := range cfg.beside() {
		err := overload(ctx, cfg, name, progress, w)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if name == cfg.Server {
			all = err
		}
	}
	return all
}

func overload(ctx context.Context, cfg Config, name string, progress *record.Progress, w io.Writer) error {
	fmt.Fprintf(w, "%s\n", name)
	p, err := setup{server: name, slots: slots, hold: hold, queue: queue, wait: queueWait}.start(ctx)
	if err != nil {
		return err
	}
	defer p.stop()
	a := newArrivals(p, "/work", clientPatience)
	defer a.hangUp()

	progress.Say("overload: %s: its peak", name)
	short := min(cfg.Duration/4, 5*time.Second)
	peak := a.closed(ctx, 3*slots, short)
	capacity := float64(peak.count(served)) / short.Seconds()
	if capacity == 0 {
		return errors.Join(fmt.Errorf("%w: nothing is served", errBalance), peak.first(), ctx.Err())
	}
	a.hangUp()
	base, err := p.base(ctx)
	if err != nil {
		return err
	}
	quiet := resident(p.cmd.Process.Pid)

	progress.Say("overload: %s: %v with ten times of %.0f a second", name, cfg.Duration, capacity)
	end := p.watch(ctx, 100*time.Millisecond)
	withheld, all := stolen()
	phases := a.open(ctx, phase{tenfold * capacity, cfg.Duration}, phase{capacity / 2, short})
	withheldNow, allNow := stolen()
	over, after := phases[0], phases[1]
	memory := end()
	a.hangUp()
	if ctx.Err() != nil {
		return ctx.Err()
	}

	good := float64(over.count(served)) / cfg.Duration.Seconds()
	fmt.Fprintf(w, "  peak         %.0f requests a second, p99 %v\n", capacity, round(peak.percentile(served, 99)))
	fmt.Fprintf(w, "  overload     %.0f a second for %v: %d served, %d refused, %d too late, %d broken, %d not sent\n", tenfold*capacity, cfg.Duration,
		over.count(served), over.count(refused), over.count(tooLate), over.count(broken), over.count(unsent))
	if err := over.first(); err != nil {
		fmt.Fprintf(w, "    %v\n", err)
	}
	fmt.Fprintf(w, "  goodput      %.0f a second, %.2f of the peak (target 0.85); p50 %v, p99 %v\n", good, good/capacity,
		round(over.percentile(served, 50)), round(over.percentile(served, 99)))
	if over.count(refused) > 0 {
		fmt.Fprintf(w, "  refusals     p50 %v, p99 %v (target 50ms)\n", round(over.percentile(refused, 50)), round(over.percentile(refused, 99)))
	} else {
		fmt.Fprintf(w, "  refusals     none (target 50ms)\n")
	}
	fmt.Fprintf(w, "  recovery     %s (target 2s)\n", recovery(after, short))
	if allNow > all {
		fmt.Fprintf(w, "  machine      %.1f%% of its processors' time was withheld by its host: refusals and goodput suffer\n",
			float64(withheldNow-withheld)/float64(allNow-all)*100)
	}
	if len(memory) > 0 {
		most := 0.0
		for _, m := range memory {
			most = max(most, m)
		}
		fmt.Fprintf(w, "  memory       %.1f MiB before, %.1f MiB at most\n", mib(quiet), mib(most))
	}
	err = p.close(ctx, base, int(a.peak), w)
	conclude(w, err)
	return err
}

// recovery says how long it takes until everything is served soon.
func recovery(after shots, d time.Duration) string {
	if len(after) == 0 {
		return "not measured"
	}
	for i := len(after) - 1; i >= 0; i-- {
		if s := after[i]; s.outcome != served || s.latency > slow {
			if i == len(after)-1 {
				return fmt.Sprintf("not in %v", d)
			}
			return round(after[i+1].due).String()
		}
	}
	return "at once"
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
