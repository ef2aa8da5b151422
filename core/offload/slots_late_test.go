package offload_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

// The slot becomes free at the moment at which the first call that waits for it has waited too
// long: the second call gets the slot then, although it waits for another worker.
func TestSlotOfALateCallGoesToTheNext(t *testing.T) {
	for range 50 { // which of the two things that happen at the same time comes first is random
		inEveryWay(t, func(t *testing.T, w way) {
			p := newPool(t, offload.Config{Workers: 3, Policy: offload.RoundRobin, Slots: offload.Slots{"GPU": 1}, Wait: time.Second})
			gpu, err := p.With(offload.Slots{"GPU": 1})
			if err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			w.run(ctx, p, sleep(0)) // so that the last call waits for the first worker
			calls := newCrowd(w, gpu)
			calls.call(ctx, sleep(time.Second))
			calls.call(ctx, sleep(0))
			time.Sleep(time.Second / 2)
			calls.call(ctx, sleep(0))
			time.Sleep(time.Second / 2)
			synctest.Wait()
			if st := p.Stats(); st.Queued != 0 || st.Idle != 3 || st.Late > 1 {
				t.Errorf("%+v, want no call in the queue", st)
			}
		})
	}
}
