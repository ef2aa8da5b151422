package offload_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

// TestNothingOlderIsUsedAfterRestart restarts resources at random times, also several times at
// once, while workers are added and removed, and resources fail, cannot be opened and wear out.
// When a Restart has returned without an error, no task gets what was opened before that Restart.
func TestNothingOlderIsUsedAfterRestart(t *testing.T) {
	seed := rand.Uint64()
	for round := range 10 {
		for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
			for _, closeFirst := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v,CloseFirst=%t,seed=%d,round=%d", policy, closeFirst, seed, round), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						restartAtRandom(t, rand.New(rand.NewPCG(seed, uint64(round))), policy, closeFirst)
					})
				})
			}
		}
	}
}

func restartAtRandom(t *testing.T, random *rand.Rand, policy offload.Policy, closeFirst bool) {
	var mu sync.Mutex
	ms := func(most int) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(random.IntN(most*1000)) * time.Microsecond
	}
	oneIn := func(n int) bool { return ms(n) < time.Millisecond }
	var current atomic.Int64 // version
	var oldest atomic.Int64  // that may be used
	type thing struct {
		version int64
		failed  func(error)
	}
	r, err := offload.NewResources(context.Background(), offload.ResourceConfig[thing]{
		Config: offload.Config{Workers: 3, MaxWorkers: 6, Queue: 50, Wait: -1, Policy: policy},
		Open: func(_ context.Context, failed func(error)) (thing, error) {
			v := current.Load()
			time.Sleep(ms(5))
			if v > 0 && oneIn(4) {
				return thing{}, errors.New("refused")
			}
			return thing{v, failed}, nil
		},
		Failed:  func(error) {},
		Backoff: time.Millisecond, MaxBackoff: 4 * time.Millisecond,
		MaxAge: 40 * time.Millisecond, CloseFirst: closeFirst, ReplaceAtOnce: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			for range 60 {
				offload.Use(context.Background(), r, func(_ context.Context, x thing) (int, error) {
					if want := oldest.Load(); x.version < want {
						t.Errorf("version %d is used after a Restart that began with version %d", x.version, want)
					}
					if oneIn(15) {
						x.failed(errors.New("at some time"))
					}
					time.Sleep(ms(6))
					if oneIn(15) {
						return 0, offload.ErrBroken
					}
					return 0, nil
				})
				time.Sleep(ms(3))
			}
		})
	}
	restarts := 0
	for range 2 {
		all.Go(func() {
			for range 15 {
				time.Sleep(ms(20))
				ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
				v := current.Add(1)
				err := r.Restart(ctx)
				cancel()
				if err == nil {
					mu.Lock()
					oldest.Store(max(oldest.Load(), v))
					restarts++
					mu.Unlock()
				} else if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		for n := range 60 {
			time.Sleep(ms(8))
			if _, err := r.Resize([]int{2, -2, 1, -3, 2}[n%5]); err != nil && !errors.Is(err, offload.ErrWorkers) {
				t.Error(err)
			}
		}
	})
	all.Wait()
	if err := r.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if restarts == 0 {
		t.Error("no Restart was successful")
	}
}
