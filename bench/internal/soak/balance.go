package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// settle is how long a server has until all is as it was. It is a variable for a test.
var settle = 15 * time.Second

// still is how many times in a row a server has to say the same before that is taken for its state.
const still = 10

// base returns the state that a server has to come back to: nothing goes on, and counts hold still.
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

// close waits until all is as it was at base, writes the closing balance, and returns an error if it does not hold. Most is how
// many connections there were at once since then, if there were more than before: tables keep room for them.
func (p *process) close(ctx context.Context, base state, most int, w io.Writer) error {
	heap := base.Heap + slackHeap + slackConn*int64(most)
	end, err := p.settled(ctx, settle, func(st state) bool {
		return st.quiet() && st.standby() <= kept() && st.others() <= base.others() && st.Descriptors <= base.Descriptors && st.Heap <= heap
	})
	if err != nil {
		return err
	}
	var errs []error
	line := func(ok bool, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if !ok {
			errs = append(errs, fmt.Errorf("%w: %s", errBalance, text))
			text += "  DOES NOT HOLD"
		}
		fmt.Fprintf(w, "  %s\n", text)
	}
	line(end.even() && end.Open == 1, "connections  %d accepted = %d closed + %d hijacked + %d open (that of this question)", end.Accepted, end.Closed, end.Hijacked, end.Open)
	line(end.Inside == 0, "handlers     %d have not returned", end.Inside)
	line(end.Wrong == 0, "requests     %d had a part of another one", end.Wrong)
	line(end.others() <= base.others() && end.standby() <= kept(), "goroutines   %d at the start, %d at the end, and %d workers on standby, of %d at most", base.others(), end.others(), end.standby(), kept())
	line(end.Descriptors <= base.Descriptors, "descriptors  %d at the start, %d at the end", base.Descriptors, end.Descriptors)
	line(end.Heap <= heap, "heap         %.2f MiB in use at the start, %.2f MiB at the end, both after collections", mib(base.Heap), mib(end.Heap))
	return errors.Join(errs...)
}

// kept returns how many workers there may be that have nothing to do: those on standby, and one for each processor in reserve
// for the questions.
func kept() int { return standby + runtime.GOMAXPROCS(0) }

// others returns the goroutines that are no workers on standby: those are kept.
func (s state) others() int { return s.Goroutines - s.standby() }

// standby returns the workers that are goroutines with nothing to do. Those of Pool are places, most of which never had one.
func (s state) standby() int {
	if s.Strategy == recycling.Pool {
		return 0
	}
	return s.Standby
}
