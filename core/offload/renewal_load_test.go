package offload_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

func TestHundredRestartsUnderLoad(t *testing.T) {
	for _, closeFirst := range []bool{false, true} {
		t.Run(fmt.Sprintf("CloseFirst=%t", closeFirst), func(t *testing.T) {
			s, r := newShopOf(t, offload.ResourceConfig[*handle]{
				Config: offload.Config{Workers: 3, Queue: 1000, Wait: -1}, CloseFirst: closeFirst, ReplaceAtOnce: 2, MaxTasks: 40,
				Worn: worn1000, CheckEvery: time.Millisecond,
			})
			var done atomic.Bool
			var callers sync.WaitGroup
			for range 16 {
				callers.Go(func() {
					for !done.Load() {
						if _, err := use(context.Background(), r, func(ctx context.Context, _ *handle) error { runtime.Gosched(); return ctx.Err() }); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			for range 100 {
				opened := s.openedSoFar()
				if err := r.Restart(context.Background()); err != nil {
					t.Error(err)
				}
				if n, err := use(context.Background(), r, well); n < opened || err != nil {
					t.Errorf("%v, handle %d is used after Restart, want one opened during Restart, %d or later", err, n, opened)
				}
			}
			done.Store(true)
			callers.Wait()
			if st := r.Stats(); st.Replaced < 200 || st.Failed != 0 || st.Full+st.Late+st.Left+st.Abandoned != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func worn1000(h *handle) error {
	if h.closed.Load() {
		panic("BUG: a closed handle was looked at")
	}
	if h.asked.Add(1)%1000 == 0 {
		return errors.New("asked a thousand times")
	}
	return nil
}

// Without a queue, and with as many callers as workers, no call may be shed while resources are
// replaced.
func TestRestartNeverLowersTheCapacity(t *testing.T) {
	const workers = 3
	_, r := newShopOf(t, offload.ResourceConfig[*handle]{Config: offload.Config{Workers: workers, Queue: -1}})
	var done atomic.Bool
	var callers sync.WaitGroup
	for range workers {
		callers.Go(func() {
			for !done.Load() {
				if _, err := use(context.Background(), r, well); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 100 {
		if err := r.Restart(context.Background()); err != nil {
			t.Error(err)
		}
	}
	done.Store(true)
	callers.Wait()
}

// Everything at once: whatever happens, each handle is closed once, and the pool ends.
func TestLifecycleUnderStress(t *testing.T) {
	for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
		for _, closeFirst := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v,CloseFirst=%t", policy, closeFirst), func(t *testing.T) { stressLifecycle(t, policy, closeFirst) })
		}
	}
}

func stressLifecycle(t *testing.T, policy offload.Policy, closeFirst bool) {
	s := &shop{t: t}
	r, err := offload.NewResources(context.Background(), offload.ResourceConfig[*handle]{
		Config: offload.Config{Workers: 4, MaxWorkers: 8, Queue: 50, Policy: policy, Slots: offload.Slots{"GPU": 2}, Event: func(offload.Event) { runtime.Gosched() }},
		Open: func(ctx context.Context, failed func(error)) (*handle, error) {
			h, err := s.open(ctx, failed)
			if err == nil && h.n >= 4 {
				if h.n%7 == 0 {
					err = errors.New("refused")
				} else if h.n%5 == 0 {
					go h.failed(errors.New("at some time"))
				}
			}
			return h, err
		},
		Close: s.close, Failed: s.report, Backoff: time.Microsecond, MaxBackoff: time.Millisecond,
		MaxTasks: 20, MaxAge: 2 * time.Millisecond, Worn: worn1000, CheckEvery: 100 * time.Microsecond,
		CloseFirst: closeFirst, ReplaceAtOnce: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	gpu, err := r.With(offload.Slots{"GPU": 1})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := 0; n < 60; n++ {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n%10)*time.Millisecond)
				with := r
				if n%3 == 0 {
					with = gpu
				}
				use(ctx, with, func(_ context.Context, h *handle) error {
					time.Sleep(time.Duration(n%4) * 50 * time.Microsecond)
					if (n+i)%10 == 0 {
						return offload.ErrBroken
					}
					return nil
				})
				cancel()
			}
		})
	}
	for range 2 {
		all.Go(func() {
			for n := range 20 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n%4)*time.Millisecond)
				if err := r.Restart(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	all.Go(func() {
		for n := range 100 {
			if _, err := r.Resize([]int{3, -2, 1, -4, 2}[n%5]); err != nil && !errors.Is(err, offload.ErrWorkers) {
				t.Error(err)
			}
			runtime.Gosched()
		}
	})
	all.Wait()
	if st := r.Stats(); st.Queued != 0 || st.Running > 8 {
		t.Errorf("%+v", st)
	}
	if got := r.Occupied()["GPU"]; r.Stats().Running == 0 && got != 0 {
		t.Errorf("%d GPUs are occupied when nothing runs", got)
	}
	if err := r.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if st := r.Stats(); int(st.Opened) != len(s.closed) || st.Restarting+st.Running+st.Idle+st.Queued != 0 {
		t.Errorf("%+v, %d closed", st, len(s.closed))
	}
}
