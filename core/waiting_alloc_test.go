package recycling_test

import (
	"net/http"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
)

// TestWaitingAllocatesNothing looks at the memory of the whole process, and so is not parallel.
func TestWaitingAllocatesNothing(t *testing.T) {
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		allocated := make(chan float64, 1)
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			ctx, calls := r.Context(), 0
			f := func() { calls++ }
			allocated <- testing.AllocsPerRun(100, func() { offload.Waiting(ctx, f) })
			if calls != 101 {
				t.Errorf("%d calls, want 101", calls)
			}
		})
		s.once(t, "/")
		if n := receive(t, allocated, "the handler"); n != 0 {
			t.Errorf("a call makes %v allocations, want 0", n)
		}
	})
}
