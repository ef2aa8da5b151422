package connections

import (
	"context"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// A situation is one in which servers are compared, of a table whose keys are the situation and the
// server.
type situation struct {
	key     string
	words   string      // what it is, for the progress
	spec    server.Spec // without Server and Procs
	servers []string    // those that take part
	measure func(context.Context, *server.Process) (*sample, error)
}

// each measures all situations, and adds the samples to t.
func (c Config) each(ctx context.Context, p *record.Progress, t *record.Table, all []situation) error {
	for round := range c.Rounds {
		for _, s := range all {
			for _, name := range rotated(s.servers, round) {
				p.Say("%s: round %d of %d, %s, %s", t.Name, round+1, c.Rounds, s.words, name)
				spec := s.spec
				spec.Server, spec.Procs = name, c.Procs
				err := measure(ctx, t.Row(s.key, name), spec, func(p *server.Process) (*sample, error) { return s.measure(ctx, p) })
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// under returns a function that measures a server under n connections that all make the same
// request, for Short.
func (c Config) under(r load.Request, n int) func(context.Context, *server.Process) (*sample, error) {
	return func(ctx context.Context, p *server.Process) (*sample, error) {
		l, err := load.New(p.Addr(), r, n)
		if err != nil {
			return nil, err
		}
		defer l.Close()
		return underLoad(ctx, p, c.Short, l), nil
	}
}
