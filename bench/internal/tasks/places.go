package tasks

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/recycling-go/recycling/bench/internal/places"
	"github.com/recycling-go/recycling/bench/internal/record"
	offloadtask "github.com/recycling-go/recycling/core/offload/task"
)

// A work is the input of the task that runs in each place.
type work struct {
	Sleep time.Duration
	Spins int
}

// Register adds the task that runs in each place to a set.
func Register(set *offloadtask.Set) { register(set) }

func register(set *offloadtask.Set) *offloadtask.Task[work, struct{}] {
	return offloadtask.Register(set, "work", func(_ context.Context, in work) (struct{}, error) {
		task(in.Sleep, in.Spins)
		return struct{}{}, nil
	}, offloadtask.Options{Idempotent: true})
}

// bare is the baseline of the places.
const bare = "bare goroutines"

// oneMachine is how many places need no network namespaces. They come first.
var oneMachine = len(places.All) - 1

// Places returns the names of all places.
func Places() []string {
	return places.Names()
}

func newPlacesTable() *record.Table {
	t := &record.Table{
		Name:  "task_places",
		Title: "The same task in each place",
		Note: `Calls of a task, without HTTP: gunicorn's scenarios. All places have the same number of workers,
and the same bounds of the queue.`,
		Terms:    []record.Term{{Name: bare, Meaning: "no place: as many goroutines as workers, or clients if these are fewer, do one task after the other"}},
		Keys:     []string{"scenario", "place"},
		Baseline: bare,
		Columns: []record.Column{
			{Name: "calls/s", Format: "%.1f", Better: record.Higher},
			{Name: "p50", Unit: "µs", Format: "%.1f", Better: record.Lower},
			{Name: "p99", Unit: "µs", Format: "%.1f", Better: record.Lower},
			{Name: "failed", Format: "%.0f", Better: record.Lower},
			{Name: "shed", Format: "%.0f"},
		},
		Charts: []record.Chart{{Name: "task_places", Title: "The same task in each place: calls per second", Column: "calls/s", X: "scenario", Series: "place"}},
	}
	for _, p := range places.All {
		t.Terms = append(t.Terms, record.Term{Name: p.Name, Meaning: p.About})
	}
	return t
}

// runPlaces measures an empty call and the scenarios in all places. The baseline of a scenario is
// measured just before the places, when the machine is in the same state.
func (m *measurement) runPlaces(ctx context.Context, chosen []scenario) {
	var usable []places.Place
	for _, p := range places.All {
		if slices.Contains(m.Places, p.Name) && m.runOverhead(ctx, p) {
			usable = append(usable, p)
		}
	}
	for _, s := range chosen {
		m.runBare(ctx, s)
		for _, p := range usable {
			m.runPlace(ctx, p, s)
		}
	}
}

// runPlace measures a scenario in one place.
func (m *measurement) runPlace(ctx context.Context, p places.Place, s scenario) {
	if ctx.Err() != nil {
		return
	}
	m.progress.Say("tasks: round %d of %d: %s, %s", m.round, m.Rounds, s.name, p.Name)
	c := childConfig{Workers: m.Workers, Sleep: s.sleep, Spins: int(m.spins * float64(s.compute.Milliseconds()))}
	c.Queue, c.Wait = s.bounds(m.Workers)
	requests, clients := m.amount(s)
	if r, err := m.atPlace(ctx, p, c, clients, requests); ctx.Err() == nil {
		m.addPlace(s, p.Name, r, err)
	}
}

// amount returns how many calls and clients a scenario has.
func (m *measurement) amount(s scenario) (requests, clients int) {
	requests = s.count(s.ideal(m.Workers, m.cores), m.Duration, m.Workers)
	return requests, min(s.clients, requests)
}

// open opens a place, and returns it and a function that calls its task.
func open(ctx context.Context, p places.Place, c childConfig) (*places.Opened, func(context.Context, work) error, error) {
	var set offloadtask.Set
	t := register(&set)
	o, err := p.Open(ctx, places.Config{Tasks: &set, Workers: c.Workers, Queue: c.Queue, Wait: c.Wait})
	if err != nil {
		return nil, nil, err
	}
	return o, func(ctx context.Context, in work) error {
		_, err := t.Do(ctx, o, in)
		return err
	}, nil
}

// atPlace opens a place and lets clients call its task.
func (m *measurement) atPlace(ctx context.Context, p places.Place, c childConfig, clients, requests int) (*result, error) {
	o, call, err := open(ctx, p, c)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	send := func(ctx context.Context) error { return call(ctx, work{c.Sleep, c.Spins}) }
	for range m.Workers { // so that connections are open
		if err := send(ctx); err != nil {
			return nil, fmt.Errorf("the first call: %w", err)
		}
	}
	all := make([]request, clients)
	for i := range all {
		all[i] = send
	}
	return closedLoop(ctx, all, requests), nil
}

// runBare measures the baseline of a scenario.
func (m *measurement) runBare(ctx context.Context, s scenario) {
	if ctx.Err() != nil {
		return
	}
	m.progress.Say("tasks: round %d of %d: %s, %s", m.round, m.Rounds, s.name, bare)
	requests, clients := m.amount(s)
	c := childConfig{Sleep: s.sleep, Spins: int(m.spins * float64(s.compute.Milliseconds()))}
	all := slices.Repeat([]request{c.plain}, min(clients, m.Workers))
	if r := closedLoop(ctx, all, requests); ctx.Err() == nil {
		m.addPlace(s, bare, r, nil)
	}
}

// addPlace adds the figures of one round to the row of a scenario in a place.
func (m *measurement) addPlace(s scenario, name string, r *result, err error) {
	row := m.places.Row(s.name, name)
	if err != nil {
		m.fail(row, err.Error())
		return
	}
	if r.failed > 0 {
		m.fail(row, fmt.Sprintf("%d of %d calls failed: %s", r.failed, r.total(), r.errors[0]))
	}
	if n := r.served.TotalCount(); n > 0 && r.elapsed > 0 {
		row.Add("calls/s", float64(n)/r.elapsed.Seconds())
		row.Add("p50", float64(r.served.ValueAtQuantile(50)))
		row.Add("p99", float64(r.served.ValueAtQuantile(99)))
	}
	row.Add("failed", float64(r.failed))
	row.Add("shed", float64(r.shed.TotalCount()))
}
