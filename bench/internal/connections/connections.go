package connections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// A scenario is a situation in which servers are compared.
type scenario struct {
	mode, handler, router string
	conns                 int
	plain                 bool // servers without routers also take part
}

// scenarios returns all combinations, in the order of the keys.
func (c Config) scenarios() []scenario {
	var all []scenario
	for _, mode := range c.Modes {
		for _, handler := range c.Handlers {
			for _, conns := range c.Conns {
				for i, router := range c.Routers {
					all = append(all, scenario{mode: mode, handler: handler, router: router, conns: conns, plain: i == 0})
				}
			}
		}
	}
	return all
}

// servers returns the servers that take part in s.
func (s scenario) servers(all []string) []string {
	return slices.DeleteFunc(serving(all, s.handler), func(name string) bool { return !s.plain && !server.HasRouters(name) })
}

// spec returns the Spec of the server to start.
func (s scenario) spec(name string, procs int) server.Spec {
	spec := server.Spec{Server: name, Conns: s.conns, Procs: procs}
	if server.HasRouters(name) {
		spec.Router = s.router
	}
	return spec
}

func (s scenario) request() load.Request {
	return load.Request{Path: s.handler, Close: s.mode == "close"}
}

// Run adds the table "connections" to r: servers under load, in all combinations of mode, handler,
// number of connections and router. If ctx ends, Run returns ctx's error, and the table has what
// was measured until then.
func Run(ctx context.Context, c Config, p *record.Progress, r *record.Run) error {
	t := &record.Table{
		Name: "connections", Title: "Servers under load",
		Keys: []string{"mode", "handler", "connections", "router", "server"},
		Columns: []record.Column{cpuColumn, rateColumn, p50Column, p99Column, maxColumn, peakColumn, errorsColumn,
			{Name: "wrk CPU", Label: "CPU per request, with wrk", Unit: "µs/req", Format: "%.1f", Better: record.Lower},
			{Name: "wrk rate", Label: "requests per second, with wrk", Unit: "req/s", Format: "%.0f", Better: record.Higher}},
		Terms:     slices.Concat(scenarioTerms(c.Modes, c.Handlers), latencyTerms),
		Published: published,
	}
	compare(t, c.Servers)
	note(t, "Each connection sends its next request when it has the answer to the last. %d rounds of %v. CPU is the server process's own; "+
		"the client shares the processors with it. Servers without routers stand beside the first router.", c.Rounds, c.Duration)
	r.Tables = append(r.Tables, t)
	wrk := c.Wrk && load.HasWrk()
	if c.Wrk && !wrk {
		note(t, "wrk is not installed.")
	}
	servers := available(t, c.Servers)
	c.Conns = affordable(t, c.Conns)
	t.Charts = c.charts()
	for round := range c.Rounds {
		for _, s := range c.scenarios() {
			for _, name := range rotated(s.servers(servers), round) {
				p.Say("connections: round %d of %d, %s, %s, %d connections, %s, %s",
					round+1, c.Rounds, modeName(s.mode), handlerName(s.handler), s.conns, s.router, name)
				row := t.Row(modeName(s.mode), handlerName(s.handler), strconv.Itoa(s.conns), s.router, name)
				err := measure(ctx, row, s.spec(name, c.Procs), func(p *server.Process) (*sample, error) {
					return s.measure(ctx, p, c.Duration, wrk)
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s scenario) measure(ctx context.Context, p *server.Process, d time.Duration, wrk bool) (*sample, error) {
	l, err := load.New(p.Addr(), s.request(), s.conns)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	out := underLoad(ctx, p, d, l)
	peak, err := p.PeakRSS()
	out.set("peak", float64(peak)/mib, err)
	if wrk {
		l.Close() // the server may have no room for more connections
		out.wrk(ctx, p, s, d)
	}
	return out, nil
}

// wrk measures the server again, with the command wrk.
func (out *sample) wrk(ctx context.Context, p *server.Process, s scenario, d time.Duration) {
	before, err1 := p.CPU()
	w, err := load.Wrk(ctx, p.Addr(), s.request(), s.conns, d)
	after, err2 := p.CPU()
	if err == nil && w.Errors > 0 {
		err = fmt.Errorf("wrk counted %d errors", w.Errors)
	}
	out.set("wrk rate", w.Rate, err)
	if w.Requests > 0 {
		out.set("wrk CPU", (after-before).Seconds()*1e6/float64(w.Requests), errors.Join(err1, err2))
	}
}

// charts returns charts of what a request costs, by handler, and, if there are several values, by
// number of connections and by router.
func (c Config) charts() []record.Chart {
	conns, router := "100", first(c.Routers)
	if !slices.Contains(c.Conns, 100) && len(c.Conns) > 0 {
		conns = strconv.Itoa(c.Conns[0])
	}
	long := map[string]string{"close": "a new connection for each request", "keep": "keep-alive connections"}
	var charts []record.Chart
	for _, mode := range c.Modes {
		where := map[string]string{"mode": modeName(mode), "connections": conns, "router": router}
		charts = append(charts, eachFigure(mode, long[mode]+", "+conns+" at a time", record.Chart{Where: where, X: "handler", Series: "server"})...)
		if len(c.Conns) > 1 {
			charts = append(charts, record.Chart{
				Name: mode + "-connections", Title: "CPU per request, " + long[mode], Column: "CPU",
				Where: map[string]string{"mode": modeName(mode), "handler": handlerName("/yo"), "router": router}, X: "connections", Series: "server",
				Lines: true, Log: true,
			})
		}
		if len(c.Routers) > 1 {
			charts = append(charts, record.Chart{
				Name: mode + "-routers", Title: "CPU per request, " + long[mode] + ", by router", Column: "CPU",
				Where: map[string]string{"mode": modeName(mode), "handler": handlerName("/yo"), "connections": conns}, X: "router", Series: "server",
			})
		}
	}
	return charts
}

// eachFigure returns a copy of the chart like for each of CPU, requests per second, p50 and p99.
func eachFigure(name, title string, like record.Chart) (charts []record.Chart) {
	for _, f := range []struct {
		suffix, title string
		column        record.Column
	}{
		{"", "CPU per request", cpuColumn}, {"-rate", "Requests per second", rateColumn},
		{"-p50", "p50 latency", p50Column}, {"-p99", "p99 latency", p99Column},
	} {
		c := like
		c.Name, c.Title, c.Column = name+f.suffix, f.title+", "+title, f.column.Name
		charts = append(charts, c)
	}
	return charts
}
