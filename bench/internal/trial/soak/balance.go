package soak

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/recycling-go/recycling/bench/internal/trial/harness"
	recycling "github.com/recycling-go/recycling/core"
)

// settle is how long a server may take to return to its state at the start. It is a variable so
// that a test can change it.
var settle = 15 * time.Second

// still is how many times in a row a server must report the same figures before they count as its
// state.
const still = 10

// base returns the state to which a server must return: nothing is in progress, and the counts do
// not change.
func (p *process) base(ctx context.Context) (state, error) {
	var (
		last state
		same int
	)
	st, err := p.settled(ctx, settle, func(st state) bool {
		same++
		if !st.quiet() || st.others() != last.others() || st.Descriptors != last.Descriptors {
			same = 0
		}
		last = st
		return same == still
	})
	if err == nil && !st.quiet() {
		err = fmt.Errorf("%w: at the start there are %d connections and %d handlers where nothing should go on", errBalance, st.Open-1, st.Inside)
	}
	return st, err
}

// newReport returns a report on the balance.
func newReport(w io.Writer, indent string) *harness.Report {
	return &harness.Report{W: w, Indent: indent, Wrong: errBalance}
}

// close waits until the server is in the state that it had at base, and reports the closing balance
// to r. most is the greatest number of connections since base, if that is more than before, because
// tables keep room for them.
func (p *process) close(ctx context.Context, base state, most int, r *harness.Report) {
	heap := base.Heap + slackHeap + slackConn*int64(most)
	end, err := p.settled(ctx, settle, func(st state) bool {
		return st.quiet() && st.standby() <= kept() && st.others() <= base.others() && st.Descriptors <= base.Descriptors && st.Heap <= heap
	})
	if err != nil {
		r.Fail(err)
		return
	}
	r.Check(end.even() && end.Open == 1, "connections  %d accepted = %d closed + %d hijacked + %d open, which asks for these figures", end.Accepted, end.Closed, end.Hijacked, end.Open)
	r.Check(end.Inside == 0, "handlers     %d have not returned", end.Inside)
	r.Check(end.Wrong == 0, "requests     %d with a part of another request in them", end.Wrong)
	r.Check(end.others() <= base.others() && end.standby() <= kept(), "goroutines   %d at the start, %d at the end, and %d workers on standby, at most %d", base.others(), end.others(), end.standby(), kept())
	r.Check(end.Descriptors <= base.Descriptors, "descriptors  %d at the start, %d at the end", base.Descriptors, end.Descriptors)
	r.Check(end.Heap <= heap, "heap         %.2f MiB in use at the start, %.2f MiB at the end, both after garbage collections", mib(base.Heap), mib(end.Heap))
}

// conclude reports whether the balance holds.
func conclude(r *harness.Report) {
	if r.Err() == nil {
		r.Line("the balance holds")
	} else {
		r.Line("THE BALANCE DOES NOT HOLD")
	}
}

// kept returns the maximum number of idle workers: those on standby, and one for each processor in
// reserve for the requests for figures.
func kept() int { return standby + runtime.GOMAXPROCS(0) }

// others returns the number of goroutines without the workers on standby, which the server keeps.
func (s state) others() int { return s.Goroutines - s.standby() }

// standby returns the number of workers that are idle goroutines. The standby workers of Pool are
// only slots, most of which never had a goroutine.
func (s state) standby() int {
	if s.Strategy == recycling.Fixed {
		return 0
	}
	return s.Standby
}
