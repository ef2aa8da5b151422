package observe

import (
	"iter"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// Histograms have subBuckets buckets for each power of two, and durations of more than maxDuration
// are counted as maxDuration. So the width of a bucket is at most an eighth of its lower bound.
const (
	subBits     = 3
	subBuckets  = 1 << subBits
	maxDuration = time.Duration(1)<<43 - 1 // 2.4 hours
	numBuckets  = (42-subBits)*subBuckets + 2*subBuckets
)

// bucketOf returns the index of the bucket that d belongs to.
func bucketOf(d time.Duration) int {
	v := uint64(min(max(d, 0), maxDuration))
	if v < 2*subBuckets {
		return int(v)
	}
	exp := bits.Len64(v) - 1 - subBits
	return exp<<subBits + int(v>>exp)
}

// bucketEnd returns the smallest duration above bucket i.
func bucketEnd(i int) time.Duration {
	if i < 2*subBuckets {
		return time.Duration(i + 1)
	}
	exp := i>>subBits - 1
	return time.Duration(i-exp<<subBits+1) << exp
}

// A histogram counts durations, without locks. It has several stripes, so that only a few
// processors write the same memory.
type histogram struct{ stripes []stripe }

type stripe struct {
	sum    atomic.Int64
	counts [numBuckets]atomic.Uint64
}

// numStripes returns how many stripes the histograms of a recorder have: one for every four
// processors.
func numStripes() int { return (runtime.GOMAXPROCS(0) + 3) / 4 }

func newHistogram(stripes int) *histogram { return &histogram{make([]stripe, stripes)} }

// add counts d in the stripe that hint selects.
func (h *histogram) add(d time.Duration, hint uintptr) {
	s := &h.stripes[hint%uintptr(len(h.stripes))]
	s.counts[bucketOf(d)].Add(1)
	s.sum.Add(int64(d))
}

// count returns how many durations were counted.
func (h *histogram) count() (n uint64) {
	for i := range h.stripes {
		for k := range h.stripes[i].counts {
			n += h.stripes[i].counts[k].Load()
		}
	}
	return n
}

func (h *histogram) read() Distribution {
	d := Distribution{counts: make([]uint64, numBuckets)}
	for i := range h.stripes {
		s := &h.stripes[i]
		d.Sum += time.Duration(s.sum.Load())
		for k := range s.counts {
			n := s.counts[k].Load()
			d.counts[k] += n
			d.Count += n
		}
	}
	return d
}

// A Distribution says how many durations of each length were counted. Lengths are exact to within a
// sixteenth, and longer durations than 2.4 hours are counted as 2.4 hours. The zero value is empty.
// A Distribution does not change; it may be used concurrently.
type Distribution struct {
	Count uint64
	Sum   time.Duration // exact

	counts []uint64 // by bucketOf; nil if all are zero
}

// Quantile returns the duration that a fraction q of all durations does not exceed. It returns zero
// if there are none.
func (d Distribution) Quantile(q float64) time.Duration {
	if d.Count == 0 || math.IsNaN(q) {
		return 0
	}
	rank := uint64(math.Ceil(min(max(q, 0), 1) * float64(d.Count)))
	var below uint64
	for i, n := range d.counts {
		if below += n; n > 0 && below >= rank {
			begin := time.Duration(0)
			if i > 0 {
				begin = bucketEnd(i - 1)
			}
			return begin + (bucketEnd(i)-1-begin)/2
		}
	}
	return maxDuration
}

// Mean returns the mean, or zero if there are no durations.
func (d Distribution) Mean() time.Duration {
	if d.Count == 0 {
		return 0
	}
	return time.Duration(float64(d.Sum) / float64(d.Count))
}

// CountBelow returns how many durations are certainly not longer than limit. Since lengths are not
// exact, durations that are shorter than limit by less than an eighth may be left out.
func (d Distribution) CountBelow(limit time.Duration) (n uint64) {
	for i, c := range d.counts {
		if bucketEnd(i)-1 > limit {
			break
		}
		n += c
	}
	return n
}

// All returns the durations that were counted: for each length, the largest that belongs to it, and
// how many there are.
func (d Distribution) All() iter.Seq2[time.Duration, uint64] {
	return func(yield func(time.Duration, uint64) bool) {
		for i, n := range d.counts {
			if n > 0 && !yield(bucketEnd(i)-1, n) {
				return
			}
		}
	}
}

// Plus returns the distribution of the durations in d and in other.
func (d Distribution) Plus(other Distribution) Distribution {
	return d.combine(other, func(a, b uint64) uint64 { return a + b }, d.Sum+other.Sum)
}

// Minus returns what has been added to d since earlier, which was read from the same source.
func (d Distribution) Minus(earlier Distribution) Distribution {
	return d.combine(earlier, func(a, b uint64) uint64 { return a - min(a, b) }, d.Sum-earlier.Sum)
}

func (d Distribution) combine(other Distribution, f func(a, b uint64) uint64, sum time.Duration) Distribution {
	if other.counts == nil {
		return d
	}
	out := Distribution{Sum: sum, counts: slices.Clone(d.counts)}
	if out.counts == nil {
		out.counts = make([]uint64, numBuckets)
	}
	for i, n := range other.counts {
		out.counts[i] = f(out.counts[i], n)
		out.Count += out.counts[i]
	}
	return out
}
