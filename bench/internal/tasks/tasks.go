// Package tasks measures heavy requests, and light requests beside them: the six scenarios of the
// benchmark of gunicorn's dirty workers, on the workers of package offload, and a light route while
// all workers are busy.
//
// Each measurement of an HTTP server uses a separate process, which is this program, started again.
// See [ServerMain].
package tasks

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// A Config says what to measure, and for how long.
type Config struct {
	// Rounds is how often everything is measured, at least once.
	Rounds int

	// Duration is about how long each scenario would take on an ideal server. It determines the
	// number of requests, which is never more than gunicorn's benchmark sends, and never less than
	// Workers.
	Duration time.Duration

	// Light is how long the light route is measured for each server and load. If it is zero, the
	// light route is not measured.
	Light time.Duration

	// Workers is how many tasks an offload pool runs at the same time, at least one. In gunicorn's
	// benchmark it was 4.
	Workers int

	// Places are the names of the places in which the task is measured. Nil means none.
	Places []string

	// Scenarios are the names of the scenarios to measure, in the order of [Scenarios]. Nil means
	// all, and empty means none.
	Scenarios []string
}

// Quick returns a Config that takes half a minute.
func Quick() Config {
	return Config{Rounds: 1, Duration: 250 * ms, Light: time.Second, Workers: 4, Places: Places()[:oneMachine], Scenarios: Scenarios()[:gunicorns]}
}

// Full returns a Config that takes about an hour.
func Full() Config {
	return Config{Rounds: 5, Duration: 7 * time.Second, Light: 10 * time.Second, Workers: 4, Places: Places()}
}

// Scenarios returns the names of all scenarios.
func Scenarios() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// Run adds the tables "tasks", "task_places", "task_overhead" and "light_tasks" to r. If a server
// fails, its row says so. Run returns an error if c is wrong, or if ctx ends; then the tables have
// every measurement except the interrupted one.
func Run(ctx context.Context, c Config, p *record.Progress, r *record.Run) error {
	chosen, err := c.choose()
	if err != nil {
		return err
	}
	defer p.Done()
	p.Say("tasks: how fast this machine computes")
	m := &measurement{Config: c, progress: p, cores: runtime.GOMAXPROCS(0)}
	m.spins = calibrate(min(c.Workers, m.cores))
	if len(chosen) > 0 {
		m.tasks = newTasksTable(m.cores, c.Workers)
		r.Tables = append(r.Tables, m.tasks)
	}
	if len(c.Places) > 0 {
		m.places, m.overhead = newPlacesTable(), newOverheadTable()
		r.Tables = append(r.Tables, m.places, m.overhead)
	}
	if c.Light > 0 {
		m.light = newLightTable(c.heavyClients())
		r.Tables = append(r.Tables, m.light)
	}
	for m.round = 1; m.round <= c.Rounds; m.round++ {
		for _, s := range chosen {
			for _, server := range taskServers {
				m.runScenario(ctx, s, server)
			}
		}
		if len(c.Places) > 0 {
			m.runPlaces(ctx, chosen)
		}
		if c.Light > 0 {
			m.runLight(ctx)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return ctx.Err()
}

// A measurement is one call of Run.
type measurement struct {
	Config
	progress *record.Progress
	cores    int     // that Go uses, here and in the servers
	spins    float64 // how many spins compute does in a millisecond
	round    int     // counts from 1
	tasks    *record.Table
	places   *record.Table
	overhead *record.Table
	light    *record.Table
}

// choose returns the scenarios to measure.
func (c Config) choose() ([]scenario, error) {
	switch {
	case c.Rounds < 1:
		return nil, fmt.Errorf("tasks: Rounds is %d, want one or more", c.Rounds)
	case c.Workers < 1:
		return nil, fmt.Errorf("tasks: Workers is %d, want one or more", c.Workers)
	}
	var chosen []scenario
	for _, s := range scenarios {
		if c.Scenarios == nil || slices.Contains(c.Scenarios, s.name) {
			chosen = append(chosen, s)
		}
	}
	for _, name := range c.Places {
		if !slices.Contains(Places(), name) {
			return nil, fmt.Errorf("tasks: there is no place %q, but %q", name, Places())
		}
	}
	for _, name := range c.Scenarios {
		if !slices.Contains(Scenarios(), name) {
			return nil, fmt.Errorf("tasks: there is no scenario %q, but %q", name, Scenarios())
		}
	}
	return chosen, nil
}

// runScenario measures one server in one scenario, and adds the result to its row.
func (m *measurement) runScenario(ctx context.Context, s scenario, server string) {
	if ctx.Err() != nil {
		return
	}
	m.progress.Say("tasks: round %d of %d: %s, %s", m.round, m.Rounds, s.name, server)
	begin := time.Now()
	bound := m.Workers
	if server == unbounded {
		bound = s.clients // each request has a goroutine
	}
	ideal := s.ideal(bound, m.cores)
	requests := s.count(ideal, m.Duration, m.Workers)
	clients := min(s.clients, requests)
	if server == alone {
		clients = min(clients, m.Workers)
	}
	c := childConfig{
		Server:  server,
		Workers: m.Workers,
		Sleep:   s.sleep,
		Spins:   int(m.spins * float64(s.compute.Milliseconds())),
	}
	c.Queue, c.Wait = s.bounds(m.Workers)
	res, err := measure(ctx, c, clients, requests)
	if ctx.Err() != nil {
		return
	}
	row := m.tasks.Row(s.name, server)
	if err != nil {
		m.fail(row, err.Error())
		return
	}
	if res.failed > 0 {
		m.fail(row, fmt.Sprintf("%d of %d requests failed: %s", res.failed, res.total(), res.errors[0]))
	}
	d := res.detail()
	d.Timestamp, d.Scenario = begin, s.name
	d.Config = Setting{Server: server, Action: s.action(), Args: s.args(), Clients: clients}
	if pooled(server) {
		d.Config.Workers, d.Config.Queue, d.Config.WaitMS = c.Workers, c.Queue, c.Wait.Milliseconds()
	}
	row.Detail = append(row.Detail, d)
	row.Add("req/s", d.PerSecond)
	row.Add("of ideal", d.PerSecond/ideal)
	if d.Successful > 0 {
		row.Add("p50", d.Latency.P50)
		row.Add("p95", d.Latency.P95)
		row.Add("p99", d.Latency.P99)
		row.Add("max", d.Latency.Max)
	}
	row.Add("failed", float64(res.failed))
	row.Add("shed", float64(res.shed.TotalCount()))
	if res.shed.TotalCount() > 0 {
		row.Add("shed p99", milliseconds(res.shed.ValueAtQuantile(99)))
	}
}

// fail adds the failure of this round to row.
func (m *measurement) fail(row *record.Row, why string) {
	if row.Failed != "" {
		row.Failed += "; "
	}
	row.Failed += fmt.Sprintf("round %d: %s", m.round, why)
}

// measure starts the server that c describes, lets clients send requests to it, and stops it.
func measure(ctx context.Context, c childConfig, clients, requests int) (*result, error) {
	switch c.Server {
	case alone:
		return closedLoop(ctx, slices.Repeat([]request{c.plain}, clients), requests), nil
	case direct:
		pool, err := c.pool()
		if err != nil {
			return nil, err
		}
		defer func() {
			pool.Close()
			<-pool.Done()
		}()
		return closedLoop(ctx, slices.Repeat([]request{c.do(pool)}, clients), requests), nil
	}
	p, err := start(ctx, c)
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	routes, hangUp, err := connect(ctx, p.Addr(), "/task", clients)
	defer hangUp()
	if err != nil {
		return nil, err
	}
	return closedLoop(ctx, routes, requests), nil
}
