package task_test

import (
	"context"
	"testing"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

func BenchmarkLocal(b *testing.B) {
	var tasks task.Set
	empty := task.Register(&tasks, "empty", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil }, task.Options{})
	pool, err := offload.New(offload.Config{Workers: 2})
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	place := task.Local(pool)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := empty.Do(context.Background(), place, struct{}{}); err != nil {
			b.Fatal(err)
		}
	}
}
