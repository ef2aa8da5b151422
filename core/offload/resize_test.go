package offload_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

func resize(t *testing.T, p interface{ Resize(int) (int, error) }, by, want int) {
	t.Helper()
	if got, err := p.Resize(by); got != want || err != nil {
		t.Errorf("Resize(%d) returns %d, %v, want %d", by, got, err, want)
	}
}

func TestResizeHasBounds(t *testing.T) {
	p := newPool(t, offload.Config{Workers: 2, MaxWorkers: 4})
	for _, by := range []int{-2, -3, math.MinInt, 3, 100, math.MaxInt} {
		if got, err := p.Resize(by); !errors.Is(err, offload.ErrWorkers) || got != 2 {
			t.Errorf("Resize(%d): %d, %v", by, got, err)
		}
	}
	resize(t, p, 0, 2)
	resize(t, p, 2, 4)
	resize(t, p, -3, 1)
	if s := p.Stats(); s.Idle != 1 || s.Workers != 1 {
		t.Errorf("%+v", s)
	}
	p.Close()
	if _, err := p.Resize(1); !errors.Is(err, offload.ErrClosed) {
		t.Error(err)
	}
	if _, err := offload.New(offload.Config{Workers: 5, MaxWorkers: 4}); err == nil || !strings.Contains(err.Error(), "MaxWorkers is 4") {
		t.Error(err)
	}
}

func TestAddedWorkersTakeWhatWaits(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w way) {
		c := newCrowd(w, newPool(t, offload.Config{Workers: 1, Wait: -1}))
		for range 6 {
			c.call(context.Background(), sleep(time.Second))
		}
		resize(t, c.pool, 2, 3)
		synctest.Wait()
		if s := c.pool.Stats(); s.Running != 3 || s.Queued != 3 || s.Workers != 3 {
			t.Errorf("%+v", s)
		}
		time.Sleep(2 * time.Second)
		for range 6 {
			if r := c.next(t); r.err != nil {
				t.Errorf("%+v", r)
			}
		}
	})
}

// Removal waits for tasks, and the first that returns makes its worker end.
func TestRemovedWorkersFinishTheirTasks(t *testing.T) {
	for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
		inEveryWay(t, func(t *testing.T, w way) {
			c := newCrowd(w, newPool(t, offload.Config{Workers: 4, MaxWorkers: 4, Wait: -1, Policy: policy}))
			for i := range 4 {
				c.call(context.Background(), func(ctx context.Context) error {
					time.Sleep(time.Duration(4-i) * time.Second)
					return ctx.Err()
				})
			}
			for range 4 {
				c.call(context.Background(), sleep(time.Second))
			}
			resize(t, c.pool, -3, 1)
			if s := c.pool.Stats(); s.Running != 4 || s.Workers != 1 || s.Queued != 4 {
				t.Errorf("%+v", s)
			}
			if _, err := c.pool.Resize(4); !errors.Is(err, offload.ErrWorkers) {
				t.Error(err)
			}
			time.Sleep(8 * time.Second)
			for range 8 {
				if r := c.next(t); r.err != nil {
					t.Errorf("%+v", r)
				}
			}
			if s := c.pool.Stats(); s.Idle != 1 || s.Running != 0 || s.Done != 8 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Workers that are still at work when others are added stay.
func TestRemovedAndAddedAgain(t *testing.T) {
	for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
		inEveryWay(t, func(t *testing.T, w way) {
			c := newCrowd(w, newPool(t, offload.Config{Workers: 4, MaxWorkers: 4, Wait: -1, Policy: policy}))
			for range 8 {
				c.call(context.Background(), sleep(time.Second))
			}
			for range 100 {
				resize(t, c.pool, -3, 1)
				resize(t, c.pool, 3, 4)
			}
			time.Sleep(time.Minute)
			for range 8 {
				if r := c.next(t); r.err != nil {
					t.Errorf("%+v", r)
				}
			}
			if s := c.pool.Stats(); s.Idle != 4 || s.Workers != 4 || s.Done != 8 {
				t.Errorf("%v: %+v", policy, s)
			}
		})
	}
}

// RoundRobin: the calls of a removed worker keep their order among those of others.
func TestCallsOfARemovedWorkerAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, offload.Config{Workers: 3, Wait: -1, Policy: offload.RoundRobin, Slots: offload.Slots{"GPU": 1}})
		gpu := with(t, p, offload.Slots{"GPU": 1})
		var began []int
		for n := range 30 {
			on := p
			if n%5 == 0 {
				on = gpu
			}
			newCrowd(ways[n%2], on).call(context.Background(), func(context.Context) error {
				began = append(began, n)
				time.Sleep(time.Second)
				return nil
			})
		}
		resize(t, p, -2, 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(began) != 30 || !slices.IsSorted(began[3:]) {
			t.Errorf("%v", began)
		}
	})
}

func TestResizedResources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShop(t, offload.Config{Workers: 2, MaxWorkers: 6})
		resize(t, r, 2, 4)
		synctest.Wait()
		if got := used(t, r, 4); !slices.Equal(got, []int{0, 1, 2, 3}) {
			t.Errorf("used are %v", got)
		}
		resize(t, r, -3, 1)
		synctest.Wait()
		if st := r.Stats(); len(s.closedSoFar()) != 3 || st.Idle != 1 || st.Workers != 1 {
			t.Errorf("%+v, closed are %v", st, s.closedSoFar())
		}
		// Workers whose resource cannot be built can be removed at once.
		s.setRefuse(errors.New("not today"))
		resize(t, r, 5, 6)
		time.Sleep(time.Minute)
		if st := r.Stats(); st.Restarting != 5 || st.Idle != 1 {
			t.Errorf("%+v", st)
		}
		start := time.Now()
		resize(t, r, -5, 1)
		synctest.Wait()
		if st := r.Stats(); st.Restarting != 0 || st.Idle != 1 || time.Since(start) != 0 {
			t.Errorf("%+v after %v", st, time.Since(start))
		}
		if _, err := use(context.Background(), r, well); err != nil {
			t.Error(err)
		}
	})
}

// Workers come and go all the time, and no call fails.
func TestResizeUnderLoad(t *testing.T) {
	for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
		t.Run(policy.String(), func(t *testing.T) {
			const most = 6
			p := newPool(t, offload.Config{Workers: 2, MaxWorkers: most, Queue: 1000, Wait: -1, Policy: policy})
			var running atomic.Int32
			var done atomic.Bool
			var callers sync.WaitGroup
			for i := range 16 {
				callers.Go(func() {
					for !done.Load() {
						err := ways[i%2].run(context.Background(), p, func(ctx context.Context) error {
							if n := running.Add(1); n > most {
								t.Errorf("%d tasks run", n)
							}
							defer running.Add(-1)
							runtime.Gosched()
							return ctx.Err()
						})
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			for n := range 500 {
				if _, err := p.Resize([]int{3, -1, -2, 2, -3, 1}[n%6]); err != nil && !errors.Is(err, offload.ErrWorkers) {
					t.Error(err)
				}
				runtime.Gosched()
			}
			done.Store(true)
			callers.Wait()
			want := p.Stats().Workers
			for p.Stats().Idle != want { // workers that end
				runtime.Gosched()
			}
		})
	}
}
