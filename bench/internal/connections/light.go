package connections

import (
	"context"
	"strconv"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// The paths that Light requests: lightPath responds at once, and busyPath computes for 10 ms.
const (
	lightPath = "/yo"
	busyPath  = "/work/10"
)

// Light adds the table "light" to r: latencies of a light route while other connections request
// computing, one request after the other. If ctx ends, Light returns ctx's error, and the table has
// what was measured until then.
func Light(ctx context.Context, c Config, p *record.Progress, r *record.Run) error {
	t := &record.Table{
		Name: "light", Title: "A light route beside connections that compute",
		Keys:    []string{"computing connections", "server"},
		Columns: []record.Column{p50Column, p99Column, maxColumn, rateColumn, errorsColumn},
		Terms:   latencyTerms,
		// The CPU time of the light requests alone is not known, so there is no chart of it.
		Charts: eachFigure("light", "beside connections that compute", record.Chart{X: "computing connections", Series: "server"})[1:],
	}
	compare(t, c.Few)
	note(t, "%d connections request %s, which answers at once, one request after the other; the figures are theirs. Beside them, computing "+
		"connections request %s, which computes for 10 ms, one request after the other. %d rounds of %v.", c.Light, lightPath, busyPath, c.Rounds, c.Short)
	r.Tables = append(r.Tables, t)
	servers := serving(available(t, c.Few), busyPath)
	counts := affordable(t, c.Busy)
	for round := range c.Rounds {
		for _, busy := range counts {
			for _, name := range rotated(servers, round) {
				p.Say("light: round %d of %d, %d computing connections, %s", round+1, c.Rounds, busy, name)
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
