package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRunMeasuresEveryStrategyInEveryScenario(t *testing.T) {
	file := filepath.Join(t.TempDir(), "samples.json")
	o := options{duration: 30 * time.Millisecond, rounds: 1, conns: 4, idle: 8, json: file}
	var table bytes.Buffer
	ctx := t.Context()
	if err := run(ctx, o, &table, io.Discard); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	want := len(scenarios)
	if canMeasureIdle() {
		want++
	}
	if want *= len(strategies); len(r.Samples) != want {
		t.Errorf("%d samples, want %d", len(r.Samples), want)
	}
	for _, s := range r.Samples {
		if s.Scenario != idle && (s.Requests == 0 || s.P50 <= 0 || s.P99 < s.P50) {
			t.Errorf("a sample is %+v", s)
		}
	}
	if n := strings.Count(table.String(), "\n"); n != 3+want {
		t.Errorf("%d lines, want %d:\n%s", n, 3+want, &table)
	}
}

func TestInterruptedRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	err := run(ctx, options{duration: time.Hour, rounds: 1, conns: 2}, io.Discard, io.Discard)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

func TestServerReportsItsOwnCPU(t *testing.T) {
	c, err := start(t.Context(), strategies[0], 1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	d, err := c.reportedCPU()
	if errors.Is(err, errNoCPU) {
		t.Skip(err)
	}
	if err != nil || d <= 0 {
		t.Errorf("%v, %v", d, err)
	}
}
