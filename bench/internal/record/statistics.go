package record

import (
	"slices"

	"golang.org/x/perf/benchmath"
)

// Sample returns values for benchmath, which sorts them. It does not change values.
func Sample(values []float64, t *benchmath.Thresholds) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(values), t)
}

// Median returns the median of values, which it does not change, or zero if there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return benchmath.AssumeNothing.Summary(Sample(values, &benchmath.DefaultThresholds), 0.5).Center
}
