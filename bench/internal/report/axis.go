package report

import (
	"math"
	"slices"
)

// An axis maps lo to 0 and hi to 1.
type axis struct {
	lo, hi float64 // different; both more than zero if log
	log    bool
}

// newAxis returns the axis that shows all values that it can: with log, only those above zero. If
// fromZero, a linear axis begins at zero, so that lengths can be compared. A logarithmic axis
// begins at a round number below the lowest value.
func newAxis(values []float64, log, fromZero bool) axis {
	on := axis{log: log}.shown
	values = slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return !on(v) })
	if len(values) == 0 {
		values = []float64{1}
	}
	a := axis{lo: slices.Min(values), hi: slices.Max(values), log: log}
	switch {
	case log:
		// The lowest bar needs a length, too.
		a.lo = roundBelow(a.lo * 0.9)
		if a.hi < 2*a.lo {
			a.hi = 2 * a.lo
		}
	case fromZero:
		a.lo, a.hi = min(a.lo, 0), max(a.hi, 0)
	}
	if a.hi-a.lo < 1e-300 {
		a.hi += max(1, math.Abs(a.hi))
	}
	return a
}

// shown reports whether the axis can show v.
func (a axis) shown(v float64) bool { return drawable(v) && (!a.log || v > 1e-300) }

// zero returns the value at which bars begin.
func (a axis) zero() float64 {
	if a.log {
		return a.lo
	}
	return 0
}

// at returns the position of v. The axis must be able to show v.
func (a axis) at(v float64) float64 {
	if a.log {
		return math.Log(v/a.lo) / math.Log(a.hi/a.lo)
	}
	return (v - a.lo) / (a.hi - a.lo)
}

// ticks returns round numbers on the axis: at most n, which is at least 2.
func (a axis) ticks(n int) []float64 {
	n = max(n, 2)
	if a.log {
		return a.logTicks(n)
	}
	step := math.Pow(10, math.Floor(math.Log10((a.hi-a.lo)/float64(n))))
	for i := 0; ; i++ {
		s := step * []float64{1, 2, 5}[i%3] * math.Pow(10, float64(i/3))
		first, last := math.Ceil(a.lo/s), math.Floor(a.hi/s)
		if last-first >= float64(n) {
			continue
		}
		var t []float64
		for k := first; k <= last; k++ {
			t = append(t, k*s)
		}
		return t
	}
}

func (a axis) logTicks(n int) []float64 {
	from, to := math.Floor(math.Log10(a.lo)), math.Ceil(math.Log10(a.hi))
	collect := func(decades float64, digits ...float64) (t []float64) {
		for e := math.Ceil(from/decades) * decades; e <= to; e += decades {
			for _, d := range digits {
				if v := d * math.Pow(10, e); v >= a.lo*0.999 && v <= a.hi*1.001 {
					t = append(t, v)
				}
			}
		}
		return t
	}
	t := collect(1, 1, 2, 5)
	for decades := 1.0; len(t) > n; decades++ {
		t = collect(decades, 1)
	}
	return t
}

// roundBelow returns the largest of ..., 0.1, 0.2, 0.5, 1, 2, 5, 10, ... that is not greater than
// v, which is above zero.
func roundBelow(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	for _, d := range []float64{5, 2} {
		if d*decade <= v {
			return d * decade
		}
	}
	return decade
}
