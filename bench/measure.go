package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// A sample is one measurement.
type sample struct {
	Scenario string             `json:"scenario"`
	Strategy recycling.Strategy `json:"strategy"`
	Round    int                `json:"round"`
	Requests int                `json:"requests,omitempty"`
	Seconds  float64            `json:"seconds,omitempty"`
	CPU      float64            `json:"cpu_us,omitempty"` // microseconds for each request; zero if it cannot be had
	P50      float64            `json:"p50_ms,omitempty"`
	P99      float64            `json:"p99_ms,omitempty"`
	Bytes    float64            `json:"idle_bytes,omitempty"` // for each idle connection
	Errors   int                `json:"errors"`
	Error    string             `json:"error,omitempty"` // the first of them
}

func (s sample) rate() float64 {
	if s.Seconds == 0 {
		return 0
	}
	return float64(s.Requests) / s.Seconds
}

// patience is how much longer than planned a measurement may take before its server is killed.
const patience = 20 * time.Second

// warmUp is the share of a measurement's time that goes ahead of it and does not count.
const warmUp = 10

// measure loads a new server.
func measure(ctx context.Context, strategy recycling.Strategy, s scenario, o options) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, o.duration+patience)
	defer cancel()
	c, err := start(ctx, strategy, o.conns)
	if err != nil {
		return sample{}, err
	}
	defer c.stop()
	l, err := newLoad(c.addr, s, o.conns)
	if err != nil {
		return sample{}, err
	}
	defer l.hangUp()
	warm := l.run(ctx, o.duration/warmUp)
	before, cpuErr := c.cpu()
	r := l.run(ctx, o.duration)
	after, err := c.cpu()
	if cpuErr == nil {
		cpuErr = err
	}
	if err := ctx.Err(); err != nil {
		return sample{}, fmt.Errorf("%s with %s: %w", s.name, strategy, err)
	}
	if cpuErr != nil && !errors.Is(cpuErr, errNoCPU) {
		return sample{}, fmt.Errorf("%s with %s: CPU time of the server: %w", s.name, strategy, cpuErr)
	}
	out := sample{
		Scenario: s.name,
		Strategy: strategy,
		Requests: len(r.latencies),
		Seconds:  r.elapsed.Seconds(),
		P50:      milliseconds(percentile(r.latencies, 50)),
		P99:      milliseconds(percentile(r.latencies, 99)),
		Errors:   warm.errors + r.errors,
	}
	if cpuErr == nil && out.Requests > 0 {
		out.CPU = float64((after - before).Microseconds()) / float64(out.Requests)
	}
	for _, err := range []error{warm.first, r.first} {
		if err != nil && out.Error == "" {
			out.Error = err.Error()
		}
	}
	return out, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
