package soak

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
)

// The targets of Overload.
const (
	// targetGoodput is the minimum of requests served per second, as a share of the peak.
	targetGoodput = 0.85

	targetRefusal  = 50 * time.Millisecond // maximum p99 of refusals
	targetRecovery = 2 * time.Second       // maximum time until requests are fast again
	targetMemory   = 64 << 20              // maximum increase of resident memory, in bytes
)

// errTarget is wrapped by all errors that say that a target is missed.
var errTarget = errors.New("soak: a target is missed")

// Findings are what Overload has measured of a server.
type findings struct {
	capacity float64       // the peak, in requests per second
	duration time.Duration // of the overload
	over     shots         // the shots of the overload
	recovery time.Duration // time after the overload; zero means at once
	quiet    int64         // bytes of resident memory before; zero if not known
	memory   samples       // resident memory since then; empty if not known
}

// goodput returns how many requests were served per second, and that number as a share of the
// capacity.
func (f findings) goodput() (perSecond, share float64) {
	perSecond = float64(f.over.count(served)) / f.duration.Seconds()
	return perSecond, perSecond / f.capacity
}

// grown returns the largest increase of resident memory, in bytes; ok is false if that is not
// known.
func (f findings) grown() (bytes float64, ok bool) {
	if f.quiet == 0 || len(f.memory) == 0 {
		return 0, false
	}
	return max(0, slices.Max(f.memory)-float64(f.quiet)), true
}

// missed returns a sentence for each target that is missed.
func (f findings) missed() (all []string) {
	miss := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if _, share := f.goodput(); share < targetGoodput {
		miss("goodput is %.2f of the peak, want %.2f or more", share, targetGoodput)
	}
	if p99 := f.over.percentile(refused, 99); p99 > targetRefusal {
		miss("the p99 of refusals is %v, want %v or less", round(p99), targetRefusal)
	}
	if f.recovery > targetRecovery {
		miss("recovery took %s, want %v or less", f.recovered(), targetRecovery)
	}
	if grown, ok := f.grown(); ok && grown > targetMemory {
		miss("memory grew by %.1f MiB, want %.0f MiB or less", mib(grown), mib(float64(targetMemory)))
	}
	return all
}

// verdict reports whether all targets are met, with an error that names those that are not.
func (f findings) verdict(r *harness.Report) {
	all := strings.Join(f.missed(), "; ")
	if all == "" {
		r.Line("all targets are met")
		return
	}
	r.Line("TARGETS ARE MISSED: %s", all)
	r.Fail(fmt.Errorf("%w: %s", errTarget, all))
}

// recovered formats the recovery time.
func (f findings) recovered() string {
	switch f.recovery {
	case 0:
		return "no time at all"
	case never:
		return "longer than was measured"
	}
	return round(f.recovery).String()
}

// write reports the figures, with their targets.
func (f findings) write(r *harness.Report) {
	good, share := f.goodput()
	r.Line("overload     %.0f requests a second for %v: %d served, %d refused, %d answered too late, %d broken, %d not sent",
		tenfold*f.capacity, f.duration, f.over.count(served), f.over.count(refused), f.over.count(tooLate), f.over.count(broken), f.over.count(unsent))
	if err := f.over.first(); err != nil {
		r.Line("  the first that broke: %v", err)
	}
	r.Line("goodput      %.0f requests a second, %.2f of the peak (target: %.2f or more); p50 %v, p99 %v", good, share, targetGoodput,
		round(f.over.percentile(served, 50)), round(f.over.percentile(served, 99)))
	if f.over.count(refused) > 0 {
		r.Line("refusals     p50 %v, p99 %v (target: %v or less)", round(f.over.percentile(refused, 50)), round(f.over.percentile(refused, 99)), targetRefusal)
	} else {
		r.Line("refusals     none")
	}
	r.Line("recovery     %s (target: %v or less)", f.recovered(), targetRecovery)
	if grown, ok := f.grown(); ok {
		r.Line("memory       %.1f MiB before, %.1f MiB more at most (target: %.0f MiB or less)", mib(f.quiet), mib(grown), mib(float64(targetMemory)))
	}
}
