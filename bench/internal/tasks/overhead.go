package tasks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/recycling-go/recycling/bench/internal/places"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/trial/hosts"
)

func newOverheadTable() *record.Table {
	us := func(name string) record.Column {
		return record.Column{Name: name, Unit: "µs", Format: "%.2f", Better: record.Lower}
	}
	t := &record.Table{
		Name:  "task_overhead",
		Title: "An empty call in each place, and the least that it could take",
		Note: `One client calls a task that does nothing. The floor is the exchange that a call in this place cannot do without, measured by turns with
the calls. "of floor" is how many times as long the median of the calls is.`,
		Keys: []string{"place"},
		Columns: []record.Column{
			us("p50"), us("p99"), us("floor p50"), us("floor p99"),
			{Name: "of floor", Format: "%.1f", Better: record.Lower},
			{Name: "failed", Format: "%.0f", Better: record.Lower},
		},
	}
	for _, p := range places.All {
		t.Terms = append(t.Terms, record.Term{Name: p.Name, Meaning: "its floor: " + p.Floor})
	}
	return t
}

// runOverhead measures empty calls in one place. It reports whether this machine can have the
// place.
func (m *measurement) runOverhead(ctx context.Context, p places.Place) bool {
	if ctx.Err() != nil {
		return false
	}
	m.progress.Say("tasks: round %d of %d: an empty call, %s", m.round, m.Rounds, p.Name)
	both, err := m.emptyCalls(ctx, p)
	switch {
	case ctx.Err() != nil:
		return false
	case errors.Is(err, hosts.ErrUnsupported):
		m.progress.Say("tasks: %s is skipped: %v", p.Name, err)
		return false
	}
	row := m.overhead.Row(p.Name)
	if err != nil {
		m.fail(row, err.Error())
		return true
	}
	for i, prefix := range []string{"", "floor "} {
		if e := both[i].first; e != nil {
			m.fail(row, fmt.Sprintf("%d %scalls failed: %v", both[i].failed, prefix, e))
		}
		row.Add(prefix+"p50", both[i].micros(50))
		row.Add(prefix+"p99", both[i].micros(99))
	}
	if floor := both[1].micros(50); floor > 0 {
		row.Add("of floor", both[0].micros(50)/floor)
	}
	row.Add("failed", float64(both[0].failed))
	return true
}

// emptyCalls opens a place, and measures calls of it, and its floor.
func (m *measurement) emptyCalls(ctx context.Context, p places.Place) (both [2]durations, err error) {
	o, call, err := open(ctx, p, childConfig{Workers: m.Workers, Queue: room, Wait: patience})
	if err != nil {
		return both, err
	}
	defer o.Close()
	floor, stop, err := p.OpenFloor(ctx, o)
	if err != nil {
		return both, err
	}
	defer stop()
	calls := [2]request{func(ctx context.Context) error { return call(ctx, work{}) }, floor}
	return alternate(ctx, min(m.Duration, 2*time.Second), calls)
}

// durations are those of calls that did not fail.
type durations struct {
	*hdrhistogram.Histogram // of nanoseconds
	failed                  int
	first                   error // that failed
}

func (d durations) micros(percentile float64) float64 {
	return float64(d.ValueAtQuantile(percentile)) / 1e3
}

// alternate does the calls by turns for d, each many times in a row, so that what else happens on
// the machine affects both. Those of the first turn, in which connections are opened, do not count.
func alternate(ctx context.Context, d time.Duration, calls [2]request) (both [2]durations, err error) {
	const turn = 50
	for i := range both {
		both[i].Histogram = hdrhistogram.New(1, 2*time.Minute.Nanoseconds(), 3)
	}
	for n, begin := 0, time.Now(); n < 2 || time.Since(begin) < d; n++ {
		for i, call := range calls {
			for range turn {
				from := time.Now()
				err := call(ctx)
				took := time.Since(from)
				switch {
				case ctx.Err() != nil:
					return both, ctx.Err()
				case n == 0 && err != nil:
					return both, fmt.Errorf("the first calls: %w", err)
				case n == 0:
				case err != nil:
					both[i].failed++
					if both[i].first == nil {
						both[i].first = err
					}
				default:
					if err := both[i].RecordValue(took.Nanoseconds()); err != nil {
						return both, err
					}
				}
			}
		}
	}
	return both, nil
}
