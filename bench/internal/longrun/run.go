package longrun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/trial/hosts"
)

// A bench is one call of Run.
type bench struct {
	c        Config
	worker   *worker
	table    *record.Table
	failures map[*record.Row]failure
}

// A failure counts the failures of a row in all rounds.
type failure struct {
	n     int
	first error
}

// Run measures every task with every server, and adds a table to r, whose rows get a sample in each
// round. Failed requests are counted, and do not end the run. If ctx interrupts a measurement, Run
// discards it, keeps the earlier ones, and returns ctx's error. When Run returns, everything that
// it started has ended, and its files are removed.
//
// It starts this program again: see [ChildMain]. p may be nil.
func Run(ctx context.Context, c Config, p *record.Progress, r *record.Run) (err error) {
	if c, err = c.resolve(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "longrun-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "original")
	if err := makeFile(file, c.FileSize); err != nil {
		return err
	}
	proc, where, err := startSite(ctx, c.Latency)
	if err != nil {
		return err
	}
	defer proc.Stop()
	w, err := newWorker(setup{Site: where, Sleep: c.Sleep, Parses: c.Parses, File: file, Dir: dir})
	if err != nil {
		return err
	}
	b := newBench(c, w)
	r.Tables = append(r.Tables, b.table)
	return b.rounds(ctx, p)
}

func newBench(c Config, w *worker) *bench {
	return &bench{c: c, worker: w, table: newTable(c), failures: map[*record.Row]failure{}}
}

// rounds measures the servers one after the other with each task, beginning with a different server
// in each round.
func (b *bench) rounds(ctx context.Context, p *record.Progress) error {
	n := len(b.c.Servers)
	for round := range b.c.Rounds {
		for _, name := range b.c.Tasks {
			t, err := taskNamed(name)
			if err != nil {
				return err
			}
			for i := range n {
				server := b.c.Servers[(round+i)%n]
				p.Say("longrun, round %d of %d: %s, %s", round+1, b.c.Rounds, name, server)
				err := b.measure(ctx, t, server)
				if errors.Is(err, hosts.ErrUnsupported) {
					p.Say("longrun: %s is skipped: %v", server, err)
					continue
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// measure adds a sample to a row. It returns an error only if ctx has ended, or if this machine
// cannot have the server.
func (b *bench) measure(ctx context.Context, t task, server string) error {
	s, err := start(ctx, server, t, b.worker, b.c)
	if ctx.Err() != nil {
		if err == nil {
			s.stop()
		}
		return ctx.Err()
	}
	if errors.Is(err, hosts.ErrUnsupported) {
		return err
	}
	if err != nil {
		b.fail(b.table.Row(t.name, server), 1, err)
		return nil
	}
	res := run(ctx, s.url, b.c.Clients, b.c.Duration)
	err = s.stop()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	row := b.table.Row(t.name, server)
	b.keep(row, &res)
	if err != nil {
		b.fail(row, 1, fmt.Errorf("it did not end well: %w", err))
	}
	return nil
}

// keep adds the result of a load to a row.
func (b *bench) keep(row *record.Row, r *result) {
	add(row, r)
	b.fail(row, r.failed, r.first)
}

// fail adds n failures to the row's message.
func (b *bench) fail(row *record.Row, n int, first error) {
	if n == 0 {
		return
	}
	f := b.failures[row]
	f.n += n
	if f.first == nil {
		f.first = first
	}
	b.failures[row] = f
	row.Failed = fmt.Sprintf("%d errors: %v", f.n, f.first)
}
