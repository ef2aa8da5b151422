package main

import (
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

func TestTableHasMediansAndRatios(t *testing.T) {
	var samples []sample
	for i := range 3 {
		f := float64(1 + i) // the median is 2
		samples = append(samples,
			sample{Scenario: "keep", Strategy: recycling.Goroutine, Requests: 1000 * (1 + i), Seconds: 1, CPU: 20 * f},
			sample{Scenario: "keep", Strategy: recycling.Recycling, Requests: 1500 * (1 + i), Seconds: 1, CPU: 10 * f},
			sample{Scenario: idle, Strategy: recycling.Recycling, Bytes: 900})
	}
	var b strings.Builder
	writeTable(&b, samples)
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"scenario strategy CPU µs/req x req/s x p50 ms p99 ms bytes/conn x errors",
		"keep goroutine 40.0 1.00 2000 1.00 0",
		"keep recycling 20.0 0.50 3000 1.50 0",
		"idle recycling 900 0",
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("the table is\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}
