package connections

import (
	"context"
	"strconv"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// Paths of Light: at once, and 10 ms of computing.
const (
	lightPath = "/yo"
	busyPath  = "/work/10"
)

// Light adds the table "light" to r: latencies of a light route while other connections request computing, one request
// after the other. When ctx ends it returns ctx's error, and the table has what was measured until then.
func Light(ctx context.Context, c Config, p *record.Progress, r *record.Run) error {
	t := &record.Table{
		Name: "light", Title: "A light route beside connections that request 10 ms of computing",
		Keys:     []string{"busy", "server"},
		Baseline: first(c.Few),
		Columns:  []record.Column{p50Column, p99Column, maxColumn, rateColumn, errorsColumn},
		Charts: []record.Chart{{
			Name: "light", Title: "Latency of a light route beside busy connections, p99", Column: "p99", X: "busy", Series: "server", Log: true,
		}},
	}
	note(t, "Medians of %d rounds of %v. %d connections request %s; busy is how many others request %s.",
		c.Rounds, c.Short, c.Light, lightPath, busyPath)
	r.Tables = append(r.Tables, t)
	servers := serving(available(t, c.Few), busyPath)
	counts := affordable(t, c.Busy)
	for round := range c.Rounds {
		for _, busy := range counts {
			for _, name := range rotated(servers, round) {
				p.Say("light: round %d of %d, %d busy, %s", round+1, c.Rounds, busy, name)
				spec := server.Spec{Server: name, Conns: c.Light + busy, Procs: c.Procs}
				err := measure(ctx, t.Row(strconv.Itoa(busy), name), spec, func(p *server.Process) (*sample, error) {
					return c.light(ctx, p, busy)
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c Config) light(ctx context.Context, p *server.Process, busy int) (*sample, error) {
	light, err := load.New(p.Addr(), load.Request{Path: lightPath}, c.Light)
	if err != nil {
		return nil, err
	}
	defer light.Close()
	others, err := load.New(p.Addr(), load.Request{Path: busyPath}, busy)
	if err != nil {
		return nil, err
	}
	defer others.Close()
	return underLoad(ctx, p, c.Short, light, others), nil
}
