package recyclingprometheus

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/recycling-go/recycling/core/observe"
)

// histogram is the kind of metrics that are histograms. Package prometheus has no ValueType for it.
const histogram prometheus.ValueType = -1

// histogram returns d as a metric.
func (c *collector) histogram(desc *prometheus.Desc, d observe.Distribution, labels []string) prometheus.Metric {
	buckets := make(map[float64]uint64, len(c.bounds))
	for _, b := range c.bounds {
		buckets[b.Seconds()] = d.CountBelow(b)
	}
	m := prometheus.MustNewConstHistogram(desc, d.Count, d.Sum.Seconds(), buckets, labels...)
	if !c.native {
		return m
	}
	return both{m, c.nativeHistogram(desc, d, labels)}
}

// The native histograms have 1<<schema buckets for each power of two, as many as a Distribution.
const schema = 3

func (c *collector) nativeHistogram(desc *prometheus.Desc, d observe.Distribution, labels []string) prometheus.Metric {
	var zero uint64
	buckets := make(map[int]int64)
	for longest, n := range d.All() {
		if longest == 0 {
			zero = n
			continue
		}
		buckets[nativeBucket(longest)] += int64(n)
	}
	return prometheus.MustNewConstNativeHistogram(desc, d.Count, d.Sum.Seconds(), buckets, nil, zero, schema, 0, c.created, labels...)
}

// nativeBucket returns the index of the native bucket for a bucket of a Distribution whose longest
// duration is d. Bucket i ends at 2^(i/8) seconds. The middle of the bucket is 3 to 6 % below d.
func nativeBucket(d time.Duration) int {
	middle := d.Seconds() * (1 - 0.045)
	return int(math.Ceil(math.Log2(middle) * (1 << schema)))
}

// both is a histogram with classic and native buckets.
type both struct {
	prometheus.Metric // classic
	native            prometheus.Metric
}

// Write implements [prometheus.Metric].
func (b both) Write(out *dto.Metric) error {
	if err := b.Metric.Write(out); err != nil {
		return err
	}
	var native dto.Metric
	if err := b.native.Write(&native); err != nil {
		return err
	}
	h, n := out.Histogram, native.Histogram
	h.Schema, h.ZeroThreshold, h.ZeroCount = n.Schema, n.ZeroThreshold, n.ZeroCount
	h.PositiveSpan, h.PositiveDelta, h.CreatedTimestamp = n.PositiveSpan, n.PositiveDelta, n.CreatedTimestamp
	return nil
}
