package connections

import (
	"context"
	"fmt"
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
	compare(t, c.Main)
	note(t, "%d connections request %s, which answers at once, one request after the other; the figures are theirs. Beside them, computing "+
		"connections request %s, which computes for 10 ms, one request after the other. %d rounds of %v.", c.Light, lightPath, busyPath, c.Rounds, c.Long)
	r.Tables = append(r.Tables, t)
	servers := serving(available(t, c.Main), busyPath)
	counts := affordable(t, c.Busy)
	var all []situation
	for _, busy := range counts {
		all = append(all, situation{
			key: strconv.Itoa(busy), words: fmt.Sprintf("%d computing connections", busy), servers: servers,
			spec:    server.Spec{Conns: c.Light + busy},
			measure: func(ctx context.Context, p *server.Process) (*sample, error) { return c.light(ctx, p, busy) },
		})
	}
	return c.each(ctx, p, t, all)
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
	return underLoad(ctx, p, c.Long, light, others), nil
}
