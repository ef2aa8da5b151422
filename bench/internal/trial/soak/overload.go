package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// The parameters of Overload. Each request needs one of a few slots for a few milliseconds, as if
// it needed one of a few connections to a database. So the capacity is known, and one machine can
// send ten times as much.
const (
	slots     = 4
	hold      = 5 * time.Millisecond
	queue     = 16                    // about 20 ms of work
	queueWait = 40 * time.Millisecond // less than a refusal may take
	tenfold   = 10

	clientPatience = time.Second            // clients give up on a response that takes longer
	slow           = 250 * time.Millisecond // a server with slower responses has not recovered yet
)

// Overload measures the capacity of the server, sends ten times as many requests in an open loop
// for cfg.Duration, and then half of the capacity. It writes the figures and the closing balance to
// w. It returns an error if cfg.Server misses a target, if its balance does not hold, or if ctx
// ends. It also shows the figures of net/http, whose failures are not errors.
func Overload(ctx context.Context, cfg Config, progress *record.Progress, w io.Writer) (err error) {
	defer func() { err = endedBy(ctx, err) }()
	cfg, err = cfg.filled(time.Minute)
	if err != nil {
		return err
	}
	defer progress.Done()
	fmt.Fprintf(w, "overload: each request needs one of %d slots for %v. recycling has %d workers, and a request waits for one at most %v, with %d in the queue.\n"+
		"Clients give up after %v.\n", slots, hold, slots, queueWait, queue, clientPatience)
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
	defer p.Stop()
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
	quiet := resident(p.Pid())

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

	found := findings{
		capacity: capacity, duration: cfg.Duration, over: over,
		recovery: recovery(after), quiet: quiet, memory: memory,
	}
	r := newReport(w, "  ")
	r.Line("peak         %.0f requests a second, p99 %v", capacity, round(peak.percentile(served, 99)))
	found.write(r)
	if allNow > all {
		r.Line("machine      its host withheld %.1f%% of its processor time, which makes refusals and goodput worse",
			float64(withheldNow-withheld)/float64(allNow-all)*100)
	}
	p.close(ctx, base, int(a.peak), r)
	conclude(r)
	found.verdict(r)
	return r.Err()
}

// recovery returns how long it takes until every request is served quickly: zero if the first
// request is, and never if the last one is not.
func recovery(after shots) time.Duration {
	for i := len(after) - 1; i >= 0; i-- {
		if s := after[i]; s.outcome != served || s.latency > slow {
			if i == len(after)-1 {
				return never
			}
			return after[i+1].due
		}
	}
	if len(after) == 0 {
		return never
	}
	return 0
}

// never is a recovery time that is longer than the measurement.
const never = time.Duration(math.MaxInt64)

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
