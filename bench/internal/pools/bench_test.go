package pools

import (
	"fmt"
	"testing"
)

// BenchmarkPool measures what Full measures, with package testing, so that one case can run for
// longer or be profiled.
//
//	go test -run '^$' -bench 'Pool/empty/producers=1/' ./bench/internal/pools
//	go test -run '^$' -bench 'Pool/sha256/producers=1/workers=2/' ./bench/internal/pools
func BenchmarkPool(b *testing.B) {
	full := Full()
	for _, j := range jobs {
		for _, producers := range full.Producers {
			for _, workers := range full.Workers {
				for _, c := range contestants {
					name := fmt.Sprintf("%s/producers=%d/workers=%d/%s", j.name, producers, workers, c.name)
					b.Run(name, func(b *testing.B) { benchmark(b, c, load{j.work, producers, workers}) })
				}
			}
		}
	}
}

func benchmark(b *testing.B, c contestant, l load) {
	r := race(c, l, b.N, rarely)
	if r.ran != r.counted {
		b.Errorf("%d jobs were submitted, and %d have run", r.counted, r.ran)
	}
	n := float64(b.N)
	// Without the time to start, as elsewhere.
	b.ReportMetric(float64(r.took.Nanoseconds())/n, "ns/op")
	b.ReportMetric(float64(r.bytes)/n, "B/op")
	b.ReportMetric(float64(r.allocs)/n, "allocs/op")
}
