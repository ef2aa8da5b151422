package connections

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// Alternating adds the table "alternating" to r: keep-alive connections of which different numbers
// are active in turn. If ctx ends, Alternating returns ctx's error, and the table has what was
// measured until then.
func Alternating(ctx context.Context, c Config, p *record.Progress, r *record.Run) error {
	t := &record.Table{
		Name: "alternating", Title: "A load that changes",
		Keys:    []string{"active connections", "server"},
		Columns: []record.Column{cpuColumn, rateColumn, p50Column, p99Column, maxColumn},
		Terms:   latencyTerms,
	}
	compare(t, c.Main)
	r.Tables = append(r.Tables, t)
	c.Active = affordable(t, c.Active)
	if len(c.Active) == 0 {
		return nil
	}
	for _, n := range c.Active {
		t.Columns = append(t.Columns, record.Column{
			Name: p99At(n), Label: fmt.Sprintf("p99 latency, %d active", n), Unit: "ms", Format: "%.2f", Better: record.Lower,
		})
	}
	t.Columns = append(t.Columns, errorsColumn)
	t.Charts = eachFigure("alternating", "different numbers of connections active in turn", record.Chart{X: "active connections", Series: "server"})[2:]
	note(t, "%d keep-alive connections are open, and those that are active request %s, which answers at once, one request after the other. "+
		"Their number changes every %v, and goes through all values %d times in a round. %d rounds. CPU, p50 and p99 are those of all requests, "+
		"so the larger numbers count for more.", c.most(), lightPath, c.Turn, c.Turns, c.Rounds)
	var numbers []string
	for _, n := range c.Active {
		numbers = append(numbers, strconv.Itoa(n))
	}
	key := record.List(numbers) + " in turn"
	return c.each(ctx, p, t, []situation{{
		key: key, words: key, servers: serving(available(t, c.Main), lightPath),
		spec: server.Spec{Conns: c.most()}, measure: c.alternating,
	}})
}

func p99At(n int) string { return "p99 at " + strconv.Itoa(n) }

// most returns the largest of Active.
func (c Config) most() int { return c.Active[len(c.Active)-1] }

// alternating measures a server while the numbers of active connections take turns. The loads add
// up: the first i+1 of them have c.Active[i] connections.
func (c Config) alternating(ctx context.Context, p *server.Process) (*sample, error) {
	var loads []*load.Load
	opened := 0
	for _, n := range c.Active {
		l, err := load.New(p.Addr(), load.Request{Path: lightPath}, n-opened)
		if err != nil {
			return nil, err
		}
		defer l.Close()
		if err := l.Once(ctx); err != nil {
			return nil, err
		}
		loads, opened = append(loads, l), n
	}
	s := &sample{figures: map[string]float64{}}
	s.add(load.Together(ctx, c.Turn, loads...)...) // the warm-up
	at := make([][]*load.Result, len(loads))
	before, err1 := p.CPU()
	begin := time.Now()
	for range c.Turns {
		for i := range loads {
			at[i] = append(at[i], load.Together(ctx, c.Turn, loads[:i+1]...)...)
		}
	}
	elapsed := time.Since(begin)
	after, err2 := p.CPU()
	var sums []*load.Result
	for i, n := range c.Active {
		sum := load.Sum(at[i], elapsed)
		if sum.Requests > 0 {
			s.set(p99At(n), milliseconds(sum.Percentile(99)), nil)
		}
		sums = append(sums, sum)
	}
	s.fill(load.Sum(sums, elapsed), after-before, errors.Join(err1, err2))
	return s, nil
}
