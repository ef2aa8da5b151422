package connections

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// Idle adds the table "idle" to r: the memory of connections that have received a response and wait
// for the next request. That is the memory of the server process beyond what it had before the
// first of them; nothing forces a garbage collection. If ctx ends, Idle returns ctx's error, and
// the table has what was measured until then.
func Idle(ctx context.Context, c Config, p *record.Progress, r *record.Run) error {
	t := &record.Table{
		Name: "idle", Title: "Memory of idle keep-alive connections",
		Keys: []string{"connections", "server"},
		Columns: []record.Column{
			{Name: "memory", Label: "memory per idle connection", Unit: "bytes/connection", Format: "%.0f", Better: record.Lower},
			{Name: "slope", Label: "memory of one more connection", Unit: "bytes/connection", Format: "%.0f"},
			errorsColumn,
		},
		Charts: []record.Chart{{
			Name: "idle", Title: "Memory per idle connection", Column: "memory", X: "connections", Series: "server",
		}},
	}
	compare(t, c.Few)
	note(t, "Resident memory of the server process beyond what it had before the first connection, divided by the number of connections. Each has had "+
		"one answer and waits. %d rounds. Slope is what one more connection takes: that of a straight line through all numbers of connections.", c.Rounds)
	r.Tables = append(r.Tables, t)
	servers := serving(available(t, c.Few), lightPath)
	counts := affordable(t, c.Idle)
	for round := range c.Rounds {
		grown := map[string][]point{}
		for _, n := range counts {
			for _, name := range rotated(servers, round) {
				p.Say("idle: round %d of %d, %d connections, %s", round+1, c.Rounds, n, name)
				spec := server.Spec{Server: name, Conns: n + 1, Procs: c.Procs}
				err := measure(ctx, t.Row(strconv.Itoa(n), name), spec, func(p *server.Process) (*sample, error) {
					s, err := c.idle(ctx, p, n)
					if err != nil {
						return nil, err
					}
					if memory, ok := s.figures["memory"]; ok {
						grown[name] = append(grown[name], point{float64(n), memory * float64(n)})
					}
					return s, nil
				})
				if err != nil {
					return err
				}
			}
		}
		for _, name := range servers {
			if v, ok := slope(grown[name]); ok {
				t.Row(strconv.Itoa(counts[len(counts)-1]), name).Add("slope", v)
			}
		}
	}
	return nil
}

// idle measures n connections. Before that it uses and closes one more connection, so that the
// server allocates what it allocates only once.
func (c Config) idle(ctx context.Context, p *server.Process, n int) (*sample, error) {
	one, err := load.New(p.Addr(), load.Request{Path: lightPath, Close: true}, 1)
	if err != nil {
		return nil, err
	}
	defer one.Close()
	if err := one.Once(ctx); err != nil {
		return nil, err
	}
	before, err := p.RSS()
	if errors.Is(err, server.ErrUnknown) {
		return &sample{}, nil
	}
	if err != nil {
		return nil, err
	}
	l, err := load.New(p.Addr(), load.Request{Path: lightPath}, n)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	if err := l.Once(ctx); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(c.Settle):
	}
	after, err := p.RSS()
	if err != nil {
		return nil, err
	}
	return &sample{figures: map[string]float64{"memory": float64(after-before) / float64(n)}}, nil
}

type point struct{ x, y float64 }

// slope returns the slope of the straight line that fits points best (least squares). ok is false
// if points have fewer than two different x.
func slope(points []point) (v float64, ok bool) {
	var mean point
	for _, p := range points {
		mean.x += p.x / float64(len(points))
		mean.y += p.y / float64(len(points))
	}
	var xy, xx float64
	for _, p := range points {
		xy += (p.x - mean.x) * (p.y - mean.y)
		xx += (p.x - mean.x) * (p.x - mean.x)
	}
	if xx == 0 {
		return 0, false
	}
	return xy / xx, true
}
