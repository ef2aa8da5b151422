package applications

import (
	"context"
	"fmt"
	"time"

	"github.com/recycling-go/recycling/bench/internal/load"
	"github.com/recycling-go/recycling/bench/internal/server"
)

// A Measurement has what was measured of both programs, in the order plain, recycled. Each list has
// a sample for each round.
type Measurement struct {
	KeepAlive [kinds][]float64 // CPU time of a request in microseconds, over 32 connections
	New       [kinds][]float64 // the same, with a new connection for each request
	Idle      [kinds][]float64 // resident bytes of an idle connection
	Errors    int64            // requests without a 200 response
	First     string           `json:",omitempty"` // one of the errors
}

const (
	keepAliveConns = 32
	newConns       = 16
	idleConns      = 4000 // fewer take less than what the heap grows by anyway
	// descriptors are what a program needs for that: on recycled workers, a server leaves up to
	// 1,024 to the application.
	descriptors = idleConns + 1024 + 200
)

// measure starts both programs, and measures them in turns. The idle connections of a round are
// opened after its load, and closed before the next one.
func (s *subject) measure(ctx context.Context) (*Measurement, error) {
	if limit, ok := load.Descriptors(); ok && limit < descriptors {
		return nil, fmt.Errorf("a process may have %d files open, want at least %d (ulimit -n)", limit, descriptors)
	}
	var m Measurement
	for round := range s.t.config.Rounds {
		for i := range kinds {
			k := kind((i + round) % kinds)
			s.say("round %d of %d, %v", round+1, s.t.config.Rounds, k)
			if err := s.measureOne(ctx, k, &m); err != nil {
				return nil, err
			}
		}
	}
	return &m, nil
}

// measureOne measures one program for a round. It starts the program anew: what a heap has grown to
// in one round would hide the memory of connections in the next.
func (s *subject) measureOne(ctx context.Context, k kind, m *Measurement) error {
	p, err := s.start(ctx, k, "run0")
	if err != nil {
		return err
	}
	defer p.stop()
	request := load.Request{Path: p.values.expand(s.Load), TLS: s.TLS}
	// So that the program allocates what it allocates only once.
	if _, err := p.load(ctx, request, 1, s.t.config.Duration/4, m); err != nil {
		return err
	}
	idle, err := p.idle(ctx, request)
	if err != nil {
		return err
	}
	m.Idle[k] = append(m.Idle[k], idle)
	cpu, err := p.load(ctx, request, keepAliveConns, s.t.config.Duration, m)
	if err != nil {
		return err
	}
	m.KeepAlive[k] = append(m.KeepAlive[k], cpu)
	request.Close = true
	if cpu, err = p.load(ctx, request, newConns, s.t.config.Duration, m); err != nil {
		return err
	}
	m.New[k] = append(m.New[k], cpu)
	return nil
}

// load puts the program under load, and returns its CPU time per request in microseconds.
func (p *process) load(ctx context.Context, r load.Request, n int, d time.Duration, m *Measurement) (float64, error) {
	l, err := load.New(p.addr(), r, n)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	before, err := server.CPUOf(p.Pid())
	if err != nil {
		return 0, err
	}
	result := l.Run(ctx, d)
	after, err := server.CPUOf(p.Pid())
	if err != nil {
		return 0, err
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	m.Errors += result.Errors
	if m.First == "" && result.First != nil {
		m.First = result.First.Error()
	}
	if result.Requests == 0 {
		return 0, fmt.Errorf("%s: no request had a 200 response: %v", r.Path, result.First)
	}
	return float64((after - before).Microseconds()) / float64(result.Requests), nil
}

// idle returns the resident bytes of an idle connection that has had one response. As elsewhere in
// bench, nothing forces a garbage collection.
func (p *process) idle(ctx context.Context, r load.Request) (float64, error) {
	before, err := server.RSSOf(p.Pid())
	if err != nil {
		return 0, err
	}
	l, err := load.New(p.addr(), r, idleConns)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	if err := l.Once(ctx); err != nil {
		return 0, fmt.Errorf("idle connections: %w", err)
	}
	after, err := server.RSSOf(p.Pid())
	if err != nil {
		return 0, err
	}
	return float64(after-before) / idleConns, nil
}
