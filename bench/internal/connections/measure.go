package connections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// A sample is one measurement of one server.
type sample struct {
	figures map[string]float64 // by the name of the column
	errors  int64
	first   error // the first error
	detail  detail
}

// A detail has more figures of a sample, for the file.
type detail struct {
	Requests int64   `json:"requests"`
	Seconds  float64 `json:"seconds"`
	CPU      float64 `json:"cpu_seconds,omitempty"` // of the server
	P90      float64 `json:"p90_ms"`
	P999     float64 `json:"p999_ms"`
}

// add adds the errors of results.
func (s *sample) add(results ...*load.Result) {
	for _, r := range results {
		s.errors += r.Errors
		if s.first == nil {
			s.first = r.First
		}
	}
}

// set records a figure, unless err says that this system does not report it. Other errors count as
// errors of the sample.
func (s *sample) set(column string, v float64, err error) {
	switch {
	case err == nil:
		s.figures[column] = v
	case !errors.Is(err, server.ErrUnknown):
		s.errors++
		if s.first == nil {
			s.first = fmt.Errorf("%s: %w", column, err)
		}
	}
}

// underLoad measures a server under loads. Latencies and requests are those of the first load. CPU
// per request is only measured if there is no other load.
func underLoad(ctx context.Context, p *server.Process, d time.Duration, loads ...*load.Load) *sample {
	s := &sample{figures: map[string]float64{}}
	s.add(load.Together(ctx, d/10, loads...)...)
	before, err1 := p.CPU()
	results := load.Together(ctx, d, loads...)
	after, err2 := p.CPU()
	s.add(results[1:]...)
	if len(loads) == 1 {
		s.fill(results[0], after-before, errors.Join(err1, err2))
	} else {
		s.fill(results[0], 0, server.ErrUnknown)
	}
	return s
}

// fill adds a result, and the CPU time that the server took for it, unless err says that it is not
// known.
func (s *sample) fill(r *load.Result, cpu time.Duration, err error) {
	s.add(r)
	s.detail = detail{
		Requests: r.Requests, Seconds: r.Elapsed.Seconds(), CPU: cpu.Seconds(),
		P90: milliseconds(r.Percentile(90)), P999: milliseconds(r.Percentile(99.9)),
	}
	if r.Requests > 0 {
		s.set("CPU", s.detail.CPU*1e6/float64(r.Requests), err)
		s.figures["rate"] = r.Rate()
		s.figures["p50"] = milliseconds(r.Percentile(50))
		s.figures["p99"] = milliseconds(r.Percentile(99))
		s.figures["max"] = milliseconds(r.Max())
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

const mib = 1 << 20

// measure starts a server, lets f measure it, and adds the sample to row, with its errors. It
// returns an error only if ctx ends; then it adds nothing.
func measure(ctx context.Context, row *record.Row, spec server.Spec, f func(*server.Process) (*sample, error)) error {
	p, err := server.Start(ctx, spec)
	var s *sample
	if err == nil {
		s, err = f(p)
		p.Stop()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil { // nothing was measured
		s = &sample{errors: 1, first: err}
	}
	s.keep(row)
	return nil
}

// errorsColumn is a column of each table that measure fills.
var errorsColumn = record.Column{Name: "errors", Format: "%.0f"}

// keep adds a sample to its row.
func (s *sample) keep(row *record.Row) {
	for column, v := range s.figures {
		row.Add(column, v)
	}
	row.Add(errorsColumn.Name, float64(s.errors))
	row.Detail = append(row.Detail, s.detail)
	if s.errors == 0 {
		return
	}
	first := s.first.Error()
	if _, earlier, ok := strings.Cut(row.Failed, failedFirst); ok {
		first = earlier
	}
	var all float64
	for _, n := range row.Samples[errorsColumn.Name] {
		all += n
	}
	row.Failed = fmt.Sprintf("errors: %.0f%s%s", all, failedFirst, first)
}

const failedFirst = ", the first: "

// available returns the servers that can be measured here. It adds a note to t for each of the
// others.
func available(t *record.Table, servers []string) []string {
	return slices.DeleteFunc(slices.Clone(servers), func(s string) bool {
		ok, why := server.Available(s)
		if !ok {
			note(t, "%s is left out: %s.", s, why)
		}
		return !ok
	})
}

// affordable returns the numbers of connections that this process may have open at the same time,
// and adds a note to t for each of the others. A server has the same limit.
func affordable(t *record.Table, counts []int) []int {
	const others = 100 // open files that are not connections
	limit, ok := load.Descriptors()
	if !ok {
		return counts
	}
	return slices.DeleteFunc(slices.Clone(counts), func(n int) bool {
		enough := uint64(n)+others <= limit
		if !enough {
			note(t, "%d connections are left out: a process may have %d files open.", n, limit)
		}
		return !enough
	})
}

// serving returns the servers that serve path.
func serving(servers []string, path string) []string {
	return slices.DeleteFunc(slices.Clone(servers), func(s string) bool { return !server.Serves(s, path) })
}

// rotated returns v rotated by round, so that each round begins with a different element.
func rotated[T any](v []T, round int) []T {
	if len(v) == 0 {
		return nil
	}
	i := round % len(v)
	return append(slices.Clone(v[i:]), v[:i]...)
}

// note adds a line to the note under a table.
func note(t *record.Table, format string, args ...any) {
	if t.Note != "" {
		t.Note += "\n"
	}
	t.Note += fmt.Sprintf(format, args...)
}

func first(servers []string) string {
	if len(servers) == 0 {
		return ""
	}
	return servers[0]
}
