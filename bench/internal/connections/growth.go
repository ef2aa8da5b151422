package connections

import (
	"context"
	"fmt"
	"strconv"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// Growth adds the table "growth" to r: what a request costs while most connections are idle, for
// several numbers of connections. If ctx ends, Growth returns ctx's error, and the table has what
// was measured until then.
func Growth(ctx context.Context, c Config, p *record.Progress, r *record.Run) error {
	lines := record.Chart{X: "connections", Series: "server", Lines: true, Log: true}
	memory := lines
	memory.Name, memory.Title, memory.Column = "growth-memory", "Resident memory, 5 % of the connections active", "memory"
	t := &record.Table{
		Name: "growth", Title: "Keep-alive connections of which 5 % are active",
		Keys: []string{"connections", "server"},
		Columns: []record.Column{
			cpuColumn, rateColumn, p50Column, p99Column,
			{Name: "memory", Label: "memory of the server", Unit: "MiB", Format: "%.1f", Better: record.Lower},
			errorsColumn,
		},
		Terms:  latencyTerms,
		Charts: append(eachFigure("growth", "5 % of the connections active", lines), memory),
	}
	compare(t, c.Few)
	note(t, "One connection of 20 sends one request after the other; the others wait. %d rounds of %v. Memory is the server process's at the end.", c.Rounds, c.Short)
	r.Tables = append(r.Tables, t)
	servers := serving(available(t, c.Few), lightPath)
	counts := affordable(t, c.Growth)
	var all []situation
	for _, n := range counts {
		all = append(all, situation{
			key: strconv.Itoa(n), words: fmt.Sprintf("%d connections", n), servers: servers,
			spec:    server.Spec{Conns: n},
			measure: func(ctx context.Context, p *server.Process) (*sample, error) { return c.growth(ctx, p, n) },
		})
	}
	return c.each(ctx, p, t, all)
}

// growth measures n connections. The idle connections have also received a response.
func (c Config) growth(ctx context.Context, p *server.Process, n int) (*sample, error) {
	count := max(1, n/20)
	active, err := load.New(p.Addr(), load.Request{Path: lightPath}, count)
	if err != nil {
		return nil, err
	}
	defer active.Close()
	idle, err := load.New(p.Addr(), load.Request{Path: lightPath}, n-count)
	if err != nil {
		return nil, err
	}
	defer idle.Close()
	if err := idle.Once(ctx); err != nil {
		return nil, err
	}
	s := underLoad(ctx, p, c.Short, active)
	memory, err := p.RSS()
	s.set("memory", float64(memory)/mib, err)
	return s, nil
}
