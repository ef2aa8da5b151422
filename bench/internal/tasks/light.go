package tasks

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// What all workers do while the light route is measured. The first entry is no load; the others are
// compared with it.
var lightLoads = []struct {
	name           string
	sleep, compute time.Duration
}{
	{"idle", 0, 0},
	{"sleeping tasks", 100 * ms, 0},
	{"computing tasks", 0, 100 * ms},
}

const (
	lightClients = 100      // clients of the light route
	lightEvery   = 100 * ms // the interval of each client's requests
	lightWarm    = 200 * ms // the longest time from the first task to the first request
)

func newLightTable(heavy int) *record.Table {
	return &record.Table{
		Name:  "light_tasks",
		Title: "A light route beside heavy work",
		Note: fmt.Sprintf(`%d clients send GET /yo, %d times a second in all. Beside them, %d clients send tasks of 100 ms, one after the other, so that all workers
are busy. A latency counts from when the request was due, even if it was sent late because the one before was not answered. Clients, server and
tasks share the processors. Where as many tasks compute as there are processors, a request waits until Go's scheduler interrupts a task, which it
does after 10 ms.`,
			lightClients, int(lightClients*time.Second/lightEvery), heavy),
		Terms: []record.Term{
			{Name: "offload default", Meaning: "a pool with the default number of workers: one less than there are processors"},
			{Name: "children", Meaning: "processes with niceness 19, each of which runs one task at a time"},
			{Name: "of idle", Meaning: "p99, divided by that of the same server without tasks in the same round"},
		},
		Keys:     []string{"load", "server"},
		Baseline: unbounded,
		Columns: []record.Column{
			{Name: "p50", Unit: "µs", Format: "%.0f", Better: record.Lower},
			{Name: "p99", Unit: "µs", Format: "%.0f", Better: record.Lower},
			{Name: "max", Unit: "µs", Format: "%.0f"},
			{Name: "of idle", Format: "%.2f", Better: record.Lower},
			{Name: "tasks/s", Format: "%.1f", Better: record.Higher},
			{Name: "requests", Format: "%.0f"},
		},
		Charts: []record.Chart{
			{Name: "light_tasks", Title: "A light route beside heavy work: p99", Column: "p99", X: "load", Series: "server"},
		},
	}
}

// heavyClients returns how many clients send tasks beside the light route: enough for a queue.
func (c Config) heavyClients() int { return 2 * c.Workers }

// runLight measures the light route of each server under each load.
func (m *measurement) runLight(ctx context.Context) {
	servers := []struct {
		name string
		childConfig
	}{
		{unbounded, childConfig{Server: unbounded}},
		{fmt.Sprintf("offload %d workers", m.Workers), childConfig{Server: shared, Workers: m.Workers}},
		{"offload default", childConfig{Server: shared}},
		{fmt.Sprintf("offload %d children", m.Workers), childConfig{Server: children, Workers: m.Workers}},
	}
	idle := map[string]float64{} // p99, by server
	for _, l := range lightLoads {
		for _, s := range servers {
			if ctx.Err() != nil {
				return
			}
			m.progress.Say("tasks: round %d of %d: light route, %s, %s", m.round, m.Rounds, l.name, s.name)
			c := s.childConfig
			c.Queue, c.Wait = room, patience
			c.Sleep, c.Spins = l.sleep, int(m.spins*float64(l.compute.Milliseconds()))
			clients := m.heavyClients()
			if l.name == lightLoads[0].name {
				clients = 0
			}
			light, heavy, err := beside(ctx, c, clients, m.Light)
			if ctx.Err() != nil {
				return
			}
			row := m.light.Row(l.name, s.name)
			if err != nil {
				m.fail(row, err.Error())
				continue
			}
			m.addLight(row, light, heavy)
			p99, ok := light.p99()
			if clients == 0 {
				idle[s.name] = p99
			} else if ok && idle[s.name] > 0 {
				row.Add("of idle", p99/idle[s.name])
			}
		}
	}
}

// addLight adds the results of the light requests, and of the heavy requests beside them, to row.
func (m *measurement) addLight(row *record.Row, light, heavy *result) {
	if light.failed > 0 {
		m.fail(row, fmt.Sprintf("%d of %d requests failed: %s", light.failed, light.total(), light.errors[0]))
	}
	if n := heavy.total() - int(heavy.served.TotalCount()); n > 0 {
		m.fail(row, fmt.Sprintf("%d of %d tasks failed: %q", n, heavy.total(), heavy.errors))
	}
	if p99, ok := light.p99(); ok {
		row.Add("p50", float64(light.served.ValueAtQuantile(50)))
		row.Add("p99", p99)
		row.Add("max", float64(light.served.Max()))
	}
	if row.Key[0] != lightLoads[0].name {
		row.Add("tasks/s", float64(heavy.served.TotalCount())/heavy.elapsed.Seconds())
	}
	row.Add("requests", float64(light.total()))
}

// p99 returns the p99 latency of the served requests, in microseconds; ok is false if there are
// none.
func (r *result) p99() (v float64, ok bool) {
	return float64(r.served.ValueAtQuantile(99)), r.served.TotalCount() > 0
}

// beside measures the light route of the server that c describes for d, while clients keep it busy
// with tasks.
func beside(ctx context.Context, c childConfig, clients int, d time.Duration) (light, heavy *result, err error) {
	p, err := start(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	defer p.Stop()
	routes, hangUp, err := connect(ctx, p.Addr(), "/yo", lightClients)
	defer hangUp()
	if err != nil {
		return nil, nil, err
	}
	tasks, hangUp, err := connect(ctx, p.Addr(), "/task", clients)
	defer hangUp()
	if err != nil {
		return nil, nil, err
	}
	busy, rest := context.WithCancel(ctx)
	defer rest()
	var all sync.WaitGroup
	all.Go(func() { heavy = closedLoop(busy, tasks, math.MaxInt) })
	select {
	case <-time.After(min(lightWarm, d)):
	case <-ctx.Done():
	}
	light = pace(ctx, routes, lightEvery, d)
	rest()
	all.Wait()
	return light, heavy, nil
}

var errTooLate = fmt.Errorf("not sent within %v, since the one before was not answered", patience)

// pace makes each client send a request every interval for d, and waits for the responses. The
// clients take turns. Each client sends one request after the other: a request that it cannot send
// in time is late, and it fails if it is late by more than patience.
func pace(ctx context.Context, clients []request, interval, d time.Duration) *result {
	r := newResult()
	var all sync.WaitGroup
	begin := time.Now()
	for i, send := range clients {
		due := begin.Add(interval * time.Duration(i) / time.Duration(len(clients)))
		all.Go(func() {
			for ; due.Sub(begin) < d && ctx.Err() == nil; due = due.Add(interval) {
				from := due
				switch early := time.Until(due); {
				case early > 0:
					time.Sleep(early)
					from = time.Now() // a late timer is not the server's fault
				case -early > patience:
					r.add(0, errTooLate)
					continue
				}
				err := send(ctx)
				if ctx.Err() != nil {
					return
				}
				r.add(time.Since(from), err)
			}
		})
	}
	all.Wait()
	r.elapsed = time.Since(begin)
	return r
}
