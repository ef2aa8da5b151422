package child_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
)

// Children are killed 100 times while they work: every call ends, with its own result or a clear
// error, and nothing is left over.
func TestKilled100Times(t *testing.T) {
	const kills, workers, callers = 100, 4, 16
	start(t, as("obedient"), nil).Close() // so that everything that is created once exists
	before := left()
	var mu sync.Mutex
	alive := map[int]bool{}
	c := as("obedient")
	r, err := offload.NewResources(ctx, offload.ResourceConfig[*child.Process]{
		Config: offload.Config{Workers: workers, Queue: callers, Wait: 10 * time.Second},
		Open: func(ctx context.Context, failed func(error)) (*child.Process, error) {
			p, err := c.Start(ctx, failed)
			if err == nil {
				mu.Lock()
				alive[p.Pid()] = true
				mu.Unlock()
			}
			return p, err
		},
		Close:  (*child.Process).Close,
		Failed: func(error) {}, Backoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	var results, broken atomic.Int64
	var slowest time.Duration
	stop := make(chan struct{})
	var running sync.WaitGroup
	for i := range callers {
		running.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				want := fmt.Sprintf("%d.%d", i, n)
				begin := time.Now()
				got, err := call(ctx, r, "echo "+want)
				mu.Lock()
				slowest = max(slowest, time.Since(begin))
				mu.Unlock()
				switch {
				case err == nil && got == want:
					results.Add(1)
				case err == nil:
					t.Errorf("%q was answered with %q", want, got)
				case errors.Is(err, offload.ErrBroken):
					broken.Add(1)
				default:
					t.Errorf("an error that is not clear: %v", err)
				}
			}
		})
	}
	killSome(t, kills, 5, &mu, alive)
	close(stop)
	ended := make(chan struct{})
	go func() { running.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("calls hang: %+v", r.Stats())
	}
	if err := r.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	s := r.Stats()
	if s.Failed < kills || s.Done != s.Answered || int64(s.Done) != results.Load()+broken.Load() {
		t.Errorf("%+v", s)
	}
	after := left()
	if after != before {
		t.Errorf("before there were %+v, now there are %+v", before, after)
	}
	t.Logf("%d kills: %d results, %d errors, none else; the slowest call took %v; %d children were started; left over: %+v, before %+v",
		kills, results.Load(), broken.Load(), slowest, s.Opened, after, before)
}

// killSome kills processes out of alive, which mu guards, one every few milliseconds.
func killSome(t *testing.T, kills, maxMillis int, mu *sync.Mutex, alive map[int]bool) {
	for killed := 0; killed < kills; time.Sleep(time.Duration(rand.IntN(maxMillis)) * time.Millisecond) {
		mu.Lock()
		for pid := range alive {
			kill(t, pid)
			delete(alive, pid)
			killed++
			break
		}
		mu.Unlock()
	}
}
