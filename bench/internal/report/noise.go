package report

import (
	"math"

	"github.com/recycling-go/recycling/bench/internal/record"
)

// A noise measures how much of a difference is chance. A row has few samples, two to five, so a row
// alone does not tell how much they scatter. A column has many rows, so all of them together do
// tell, and some of them differ a lot by chance alone. Therefore:
//
//   - Samples are compared as logarithms, because the noise of a machine is proportional to what is
//     measured.
//   - With a baseline, a sample is the ratio to the baseline in the same round. What slows down the
//     machine for a minute, or between two runs, slows down both.
//   - The deviation of one sample is that of all rows of a column together, about the mean of each
//     row, or that of the row alone if it is larger: some situations are noisier than others.
//   - A difference of means is more than noise if it is so many deviations of a mean that in 99 of
//     100 runs chance causes no such difference in any of the compared cells (Bonferroni's bound
//     for normal noise). With so few samples, the mean is more reliable than the median, and one
//     outlier adds to the row's own deviation.
type noise struct {
	squares float64 // the sum of squared distances to the mean of a row
	free    int     // the degrees of freedom
}

// add adds the samples of a row.
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

// mean returns the mean of one or more samples.
func mean(samples []float64) (m float64) {
	for _, v := range samples {
		m += v / float64(len(samples))
	}
	return m
}

// deviation returns the standard deviation of one sample, or zero if nothing is known about it.
func (n noise) deviation() float64 {
	if n.free == 0 {
		return 0
	}
	return math.Sqrt(n.squares / float64(n.free))
}

// deviations returns how many standard deviations a difference must have to be more than noise in
// one of the given number of cells. It is a quantile of the normal distribution, or of Student's
// distribution if the deviation itself is estimated from few samples.
func (n noise) deviations(cells int) float64 {
	z := math.Sqrt2 * math.Erfinv(1-0.01/float64(max(cells, 1)))
	z3, z5 := z*z*z, z*z*z*z*z
	free := float64(max(n.free, 1))
	return z + (z3+z)/(4*free) + (5*z5+16*z3+3*z)/(96*free*free) // the first terms of its expansion
}

// logarithms returns the logarithms of values. It returns nil if there are no values, or if any
// value has no logarithm.
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

// logRatios returns the logarithms of the ratios of row's samples to base's: round by round, or to
// base's median if they have different numbers of rounds. It returns nil if there are none.
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

// word describes a change by m, which is above or below zero.
func word(m float64, better record.Better) string {
	switch {
	case better == "":
		return "changed"
	case (m < 0) == (better == record.Lower):
		return "better"
	}
	return "worse"
}
