package report

import (
	"math"
	"slices"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// A noise says how much of a difference is chance. Samples of a row are few, two to five, so that a row alone cannot
// say how far they scatter; rows are many, so that all of a column together can, and so that some differ a lot by
// chance alone. What that means:
//
//   - Samples are compared as logarithms, because noise of a machine is a share of what is measured.
//   - With a baseline, a sample is the ratio to the baseline in the same round. What slows down the machine for a
//     minute, or between two runs, slows down both.
//   - The deviation of one sample is that of all rows of a column together, about the mean of each row, or of the row
//     alone if that is more: some situations are noisier than others.
//   - A difference of means is more than noise if it is so many deviations of a mean that chance makes no
//     such difference in 99 of 100 runs, in any of the cells that are looked at (Bonferroni's bound for normal noise).
//     Of so few samples, the mean is surer than the median, and one wild sample adds to the row's own deviation.
type noise struct {
	squares float64 // of distances to the mean of a row
	free    int     // how many of them are independent
}

// add takes the samples of a row into account.
func (n *noise) add(samples []float64) {
	if len(samples) < 2 {
		return
	}
	m := mean(samples)
	for _, v := range samples {
		n.squares += (v - m) * (v - m)
	}
	n.free += len(samples) - 1
}

// mean returns that of one or more samples.
func mean(samples []float64) (m float64) {
	for _, v := range samples {
		m += v / float64(len(samples))
	}
	return m
}

// deviation returns the standard deviation of one sample; zero if nothing is known about it.
func (n noise) deviation() float64 {
	if n.free == 0 {
		return 0
	}
	return math.Sqrt(n.squares / float64(n.free))
}

// deviations returns how many standard deviations a difference must have to be more than noise in one of so many cells:
// a quantile of the normal distribution, and for a deviation that is itself known from few samples, of Student's.
func (n noise) deviations(cells int) float64 {
	z := math.Sqrt2 * math.Erfinv(1-0.01/float64(max(cells, 1)))
	z3, z5 := z*z*z, z*z*z*z*z
	free := float64(max(n.free, 1))
	return z + (z3+z)/(4*free) + (5*z5+16*z3+3*z)/(96*free*free) // the first terms of its expansion
}

// logarithms returns those of values; nil if there is none, or not all have one.
func logarithms(values []float64) []float64 {
	if len(values) == 0 {
		return nil
	}
	logs := make([]float64, len(values))
	for i, v := range values {
		if logs[i] = math.Log(v); math.IsNaN(logs[i]) || math.IsInf(logs[i], 0) {
			return nil
		}
	}
	return logs
}

// logRatios returns the logarithms of row's samples over base's: round by round, or over base's median if they have
// not the same number of rounds. Nil if there are none.
func logRatios(row, base *record.Row, column string) []float64 {
	r, b := logarithms(row.Samples[column]), logarithms(base.Samples[column])
	if len(r) == 0 || len(b) == 0 {
		return nil
	}
	for i := range r {
		if len(b) == len(r) {
			r[i] -= b[i]
		} else {
			r[i] -= record.Median(b)
		}
	}
	return r
}

// verdict says whether a row is better or worse than its baseline. It is empty if they differ no more than by noise: if
// not all rounds agree, or by less than 2 %; or if there are fewer than two rounds to tell.
func verdict(logs []float64, column noise, cells int, better record.Better) string {
	if len(logs) < 2 {
		return ""
	}
	var own noise
	own.add(logs)
	deviation := max(own.deviation(), column.deviation()) / math.Sqrt(float64(len(logs)))
	m := mean(logs)
	agree := slices.Min(logs) > 0 || slices.Max(logs) < 0
	if !agree || math.Abs(m) < max(math.Log(1.02), column.deviations(cells)*deviation) {
		return ""
	}
	return word(m, better)
}

// word says what a change by m, above or below zero, is.
func word(m float64, better record.Better) string {
	switch {
	case better == "":
		return "changed"
	case (m < 0) == (better == record.Lower):
		return "better"
	}
	return "worse"
}
