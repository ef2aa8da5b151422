package child_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

func BenchmarkCall(b *testing.B) {
	p := start(b, as("obedient"), nil)
	request := []byte("echo")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Call(ctx, request); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUse(b *testing.B) {
	r := newChildren(b, as("obedient"), offload.Config{Workers: 1})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := call(ctx, r, "echo"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEmptyTask(b *testing.B) {
	p := open(b, workers(1))
	var took []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		begin := time.Now()
		if _, err := empty.Do(context.Background(), p, struct{}{}); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
}

// discard is a writer that has nothing to do.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func BenchmarkStream(b *testing.B) {
	p := open(b, workers(1))
	const size = 64 << 20
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if err := pour.Do(ctx, p, size, discard{}); err != nil {
			b.Fatal(err)
		}
	}
}
