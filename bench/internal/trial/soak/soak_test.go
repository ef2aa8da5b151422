package soak_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/trial/soak"
)

// small is a Config whose trials take a second or two.
var small = soak.Config{
	Duration: 300 * time.Millisecond, Clients: 16, Connections: 2000, Seed: 7,
	SlowHeaders: 40, SlowBodies: 2, NeverReading: 1,
}

// try runs a trial, whose balance must hold, and returns what it wrote.
func try(t *testing.T, trial func(context.Context, soak.Config, *record.Progress, io.Writer) error, cfg soak.Config) string {
	t.Helper()
	t.Parallel()
	var text bytes.Buffer
	if err := trial(t.Context(), cfg, nil, &text); err != nil {
		t.Errorf("%v\n%s", err, text.String())
	}
	return text.String()
}

func expect(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("there is no %q in\n%s", part, text)
		}
	}
}

func TestSoakComesOutEven(t *testing.T) {
	cfg := small
	cfg.Duration = 2 * time.Second
	expect(t, try(t, soak.Soak, cfg), "seed 7\n", " 0 mismatches, 0 lost, 0 hung", " 1 open", "the balance holds")
}

func TestSoakOfNetHTTP(t *testing.T) {
	cfg := small
	cfg.Server = "net/http"
	expect(t, try(t, soak.Soak, cfg), " 0 mismatches, 0 lost, 0 hung", "the balance holds")
}

func TestChurnComesOutEven(t *testing.T) {
	expect(t, try(t, soak.Churn, small), "2000 checked, 0 mismatches", "the balance holds")
}

// Whether a machine that is busy with other tests meets the targets depends on luck, but the error
// and the text must agree about it.
func TestOverloadRefuses(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	err := soak.Overload(t.Context(), small, nil, &text)
	if err != nil && !errors.Is(err, soak.ErrTarget) {
		t.Errorf("%v\n%s", err, text.String())
	}
	of, _, _ := strings.Cut(text.String(), "net/http\n")
	if missed := strings.Contains(of, "TARGETS ARE MISSED"); missed != errors.Is(err, soak.ErrTarget) || missed == strings.Contains(of, "all targets are met") {
		t.Errorf("the error is %v, and the text\n%s", err, of)
	}
	expect(t, text.String(), "recycling\n", "net/http\n", "goodput", "refusals     p50", "recovery", "the balance holds")
}

func TestCrowdOfSlowHeadersHoldsNoWorker(t *testing.T) {
	cfg := small
	cfg.Duration = 100 * time.Millisecond
	text := try(t, soak.Crowd, cfg)
	expect(t, text, "slow headers: 40 of 40", "slow bodies: 2 of 2", "never reading: 1 of 1", "1 connected")
	_, headers, _ := strings.Cut(text, "slow headers")
	headers, _, _ = strings.Cut(headers, "slow bodies")
	expect(t, headers, "40 connected", "workers      1 to ")
}

func TestTheEndOfTheContextEndsAll(t *testing.T) {
	for name, trial := range map[string]func(context.Context, soak.Config, *record.Progress, io.Writer) error{
		"soak": soak.Soak, "churn": soak.Churn, "overload": soak.Overload, "crowd": soak.Crowd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := small
			cfg.Duration, cfg.Connections = time.Hour, 1_000_000_000
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if err := trial(ctx, cfg, nil, io.Discard); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("it returned %v", err)
			}
		})
	}
}

func TestConfigsThatCannotBe(t *testing.T) {
	for field, cfg := range map[string]soak.Config{
		"Server": {Server: "apache"}, "Duration": {Duration: -1}, "Clients": {Clients: -1}, "Connections": {Connections: -1},
	} {
		if err := soak.Soak(t.Context(), cfg, nil, io.Discard); err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := soak.ServerMain([]string{"-nonsense"}); err == nil {
		t.Errorf("ServerMain returned %v", err)
	}
}
