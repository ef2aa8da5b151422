package report

import (
	"fmt"
	"slices"

	"golang.org/x/perf/benchmath"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// What is more than noise is decided by golang.org/x/perf/benchmath, which benchstat uses as well.
// It assumes nothing about how figures scatter.
//
// Within a run, the rounds of two contestants are pairs: what slows down the machine for a minute
// slows down both. So what counts is the confidence interval of the median of the ratios of the
// same round: if 1 is outside of it, they differ. With five rounds this is so if all rounds agree,
// which they do by chance once in 16 times.
//
// Rounds of different runs are not pairs. They are compared by the Mann-Whitney U test, as by
// benchstat. Its level is lower than benchstat's, because a run has hundreds of figures: with five
// rounds, all new figures must be above all old ones, or below.
const (
	confidence   = 0.9  // of the interval of a median
	alpha        = 0.01 // of the U test
	enoughRounds = 5    // what benchmath needs, for both
)

// atAlpha is the level of Compare.
var atAlpha = benchmath.Thresholds{CompareAlpha: alpha}

// interval returns the median of ratios and its confidence interval, which has no bounds if there
// are too few ratios.
func interval(ratios []float64) benchmath.Summary {
	return benchmath.AssumeNothing.Summary(record.Sample(ratios, &benchmath.DefaultThresholds), confidence)
}

// uTest compares the samples of two runs.
func uTest(old, new []float64) benchmath.Comparison {
	return benchmath.AssumeNothing.Compare(record.Sample(old, &atAlpha), record.Sample(new, &atAlpha))
}

// positive returns values, or nil if any of them is not above zero, because then there are no
// ratios.
func positive(values []float64) []float64 {
	if slices.ContainsFunc(values, func(v float64) bool { return !drawable(v) || v <= 0 }) {
		return nil
	}
	return values
}

// word describes a change upwards or downwards. better is not empty.
func word(up bool, better record.Better) string {
	if up == (better == record.Higher) {
		return "better"
	}
	return "worse"
}

// rule says when a figure is called better or worse, to follow these words.
var rule = fmt.Sprintf("by %.0f %% or more in the median, and by the whole %.0f %% confidence interval of the median, which takes %d rounds",
	100*leastChange, 100*confidence, enoughRounds)
