package tasks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/trial/hosts"
	offloadtask "github.com/recycling-go/recycling/core/offload/task"
)

// A work is the input of the task that runs in each place.
type work struct {
	Sleep time.Duration
	Spins int
}

// workTasks are the tasks of the places: one.
type workTasks struct {
	set  offloadtask.Set
	work *offloadtask.Task[work, struct{}]
}

func newWorkTasks() *workTasks {
	t := new(workTasks)
	t.work = offloadtask.Register(&t.set, "work", func(_ context.Context, in work) (struct{}, error) {
		task(in.Sleep, in.Spins)
		return struct{}{}, nil
	}, offloadtask.Options{Idempotent: true})
	return t
}

// empty is the scenario of a task that does nothing. One client calls it.
var empty = scenario{"empty", 0, 0, 1, 20_000, 0, 0}

// bare is the baseline of the places.
const bare = "bare goroutines"

// A place is where tasks run. open starts what it needs; the caller must call close.
type place struct {
	name, about string
	open        func(ctx context.Context, t *workTasks, c childConfig) (p offloadtask.Place, close func(), err error)
}

var places = []place{
	{"in process", "task.Local: a pool in this process", openLocal},
	{"child processes", "a process for each worker", openChildren},
	{"NATS", "the embedded server, and a worker in this process", openEmbedded},
	{"NATS, three hosts", "three servers that keep three copies, and the workers on the same hosts, in network namespaces; calls come from outside", openHosts},
}

// oneMachine is how many places need no network namespaces. They come first.
const oneMachine = 3

// Places returns the names of all places.
func Places() []string {
	var names []string
	for _, p := range places {
		names = append(names, p.name)
	}
	return names
}

func newPlacesTable() *record.Table {
	t := &record.Table{
		Name:  "task_places",
		Title: "The same task in each place",
		Note: `Calls of a task, without HTTP: gunicorn's scenarios, and an empty task that one client calls. All places have the same number of workers,
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
	for _, p := range places {
		t.Terms = append(t.Terms, record.Term{Name: p.name, Meaning: p.about})
	}
	return t
}

// runPlaces measures the empty task and the scenarios in all places.
func (m *measurement) runPlaces(ctx context.Context, chosen []scenario) {
	all := append([]scenario{empty}, chosen...)
	m.runBare(ctx, all)
	for _, p := range places {
		if slices.Contains(m.Places, p.name) {
			m.runPlace(ctx, p, all)
		}
	}
}

// runPlace measures all scenarios in one place.
func (m *measurement) runPlace(ctx context.Context, p place, chosen []scenario) {
	for _, s := range chosen {
		if ctx.Err() != nil {
			return
		}
		m.progress.Say("tasks: round %d of %d: %s, %s", m.round, m.Rounds, s.name, p.name)
		c := childConfig{Workers: m.Workers, Sleep: s.sleep, Spins: int(m.spins * float64(s.compute.Milliseconds()))}
		c.Queue, c.Wait = s.bounds(m.Workers)
		requests, clients := m.amount(s)
		r, err := m.atPlace(ctx, p, c, clients, requests)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, hosts.ErrUnsupported) {
			m.progress.Say("tasks: %s is skipped: %v", p.name, err)
			return
		}
		m.addPlace(s, p.name, r, err)
	}
}

// amount returns how many calls and clients a scenario has.
func (m *measurement) amount(s scenario) (requests, clients int) {
	if s == empty {
		return max(1, min(s.requests, int(m.Duration/(100*time.Microsecond)))), 1
	}
	requests = s.count(s.ideal(m.Workers, m.cores), m.Duration, m.Workers)
	return requests, min(s.clients, requests)
}

// atPlace opens a place and lets clients call its task.
func (m *measurement) atPlace(ctx context.Context, p place, c childConfig, clients, requests int) (*result, error) {
	t := newWorkTasks()
	where, closePlace, err := p.open(ctx, t, c)
	if err != nil {
		return nil, err
	}
	defer closePlace()
	send := func(ctx context.Context) error {
		_, err := t.work.Do(ctx, where, work{c.Sleep, c.Spins})
		return err
	}
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

// runBare measures the baseline of the places.
func (m *measurement) runBare(ctx context.Context, chosen []scenario) {
	for _, s := range chosen {
		if ctx.Err() != nil {
			return
		}
		requests, clients := m.amount(s)
		c := childConfig{Sleep: s.sleep, Spins: int(m.spins * float64(s.compute.Milliseconds()))}
		all := make([]request, min(clients, m.Workers))
		for i := range all {
			all[i] = c.plain
		}
		if r := closedLoop(ctx, all, requests); ctx.Err() == nil {
			m.addPlace(s, bare, r, nil)
		}
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
