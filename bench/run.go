package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// A report is what -json keeps.
type report struct {
	Machine     machine  `json:"machine"`
	Connections int      `json:"connections"`
	Idle        int      `json:"idle_connections"`
	Duration    float64  `json:"duration_seconds"`
	Samples     []sample `json:"samples"`
}

// run measures, prints the table to stdout, and what it is doing to stderr.
func run(ctx context.Context, o options, stdout, stderr io.Writer) error {
	r := report{Machine: thisMachine(), Connections: o.conns, Idle: o.idle, Duration: o.duration.Seconds()}
	if !canMeasureIdle() {
		r.Idle = 0
	}
	for round := 1; round <= o.rounds; round++ {
		samples, err := oneRound(ctx, o, round, stderr)
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
		r.Samples = append(r.Samples, samples...)
	}
	fmt.Fprintln(stdout, r.Machine)
	writeTable(stdout, r.Samples)
	fmt.Fprintf(stdout, "Medians of %d rounds of %v with %d connections", o.rounds, o.duration, o.conns)
	if r.Idle > 0 {
		fmt.Fprintf(stdout, "; %d idle ones", r.Idle)
	}
	fmt.Fprintln(stdout, ". x: ratio to goroutine, which is net/http. CPU: of the server process.")
	if o.json != "" {
		if err := writeJSON(o.json, r); err != nil {
			return err
		}
	}
	return firstError(r.Samples)
}

// oneRound measures everything once. Strategies are next to each other, so that
// what else the machine does meets all of them.
func oneRound(ctx context.Context, o options, round int, stderr io.Writer) ([]sample, error) {
	var samples []sample
	keep := func(s sample, err error) error {
		if err != nil {
			return err
		}
		s.Round = round
		samples = append(samples, s)
		return nil
	}
	for _, s := range scenarios {
		fmt.Fprintf(stderr, "round %d of %d: %s\n", round, o.rounds, s.name)
		for _, strategy := range strategies {
			if err := keep(measure(ctx, strategy, s, o)); err != nil {
				return nil, err
			}
		}
	}
	if o.idle == 0 || !canMeasureIdle() {
		return samples, nil
	}
	fmt.Fprintf(stderr, "round %d of %d: %s\n", round, o.rounds, idle)
	for _, strategy := range strategies {
		if err := keep(measureIdle(ctx, strategy, o)); err != nil {
			return nil, err
		}
	}
	return samples, nil
}

// firstError says that figures with errors among them do not count.
func firstError(samples []sample) error {
	for _, s := range samples {
		if s.Errors > 0 {
			return fmt.Errorf("%d errors in %s with %s, the figures do not count: %s", s.Errors, s.Scenario, s.Strategy, s.Error)
		}
	}
	return nil
}

func writeJSON(file string, r report) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o666)
}
