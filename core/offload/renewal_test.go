package offload_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

// used returns the numbers of the handles that the next tasks get, one for each of workers.
func used(t *testing.T, r *offload.Resources[*handle], workers int) []int {
	t.Helper()
	var mu sync.Mutex
	var ns []int
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			n, err := use(context.Background(), r, func(context.Context, *handle) error { time.Sleep(time.Millisecond); return nil })
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ns = append(ns, n)
		})
	}
	wg.Wait()
	slices.Sort(ns)
	return ns
}

func TestRestartReplacesEveryResource(t *testing.T) {
	for _, closeFirst := range []bool{false, true} {
		for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
			for _, atOnce := range []int{0, 2, 9} {
				t.Run(fmt.Sprintf("CloseFirst=%t,%v,ReplaceAtOnce=%d", closeFirst, policy, atOnce), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						_, r := newShopOf(t, offload.ResourceConfig[*handle]{
							Config: offload.Config{Workers: 3, Policy: policy}, CloseFirst: closeFirst, ReplaceAtOnce: atOnce,
						})
						for round := range 3 {
							if err := r.Restart(context.Background()); err != nil {
								t.Fatal(err)
							}
							synctest.Wait()
							first := 3 * (round + 1)
							if got, want := used(t, r, 3), []int{first, first + 1, first + 2}; !slices.Equal(got, want) {
								t.Errorf("round %d: used are handles %v, want %v", round, got, want)
							}
						}
						if st := r.Stats(); st.Replaced != 9 || st.Failed != 0 || st.Idle != 3 || st.Workers != 3 {
							t.Errorf("%+v", st)
						}
					})
				})
			}
		}
	}
}

// All workers are busy for different times: the first that is free gets the new resource.
func TestRestartWaitsForTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShop(t, offload.Config{Workers: 3})
		for i := range 3 {
			go use(context.Background(), r, func(ctx context.Context, h *handle) error {
				time.Sleep(time.Duration(3-i) * time.Second)
				if h.closed.Load() || ctx.Err() != nil {
					t.Error("the handle of a task was closed, or its context has ended")
				}
				return nil
			})
			synctest.Wait()
		}
		start := time.Now()
		if err := r.Restart(context.Background()); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v, want the end of the last task", err, time.Since(start))
		}
		synctest.Wait()
		if got := s.closedSoFar(); len(got) != 3 || r.Stats().Opened != 6 {
			t.Errorf("closed are %v, %+v", got, r.Stats())
		}
	})
}

// There are at most ReplaceAtOnce resources more than workers, or with CloseFirst none.
func TestRestartIsBounded(t *testing.T) {
	for _, closeFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const workers, atOnce = 5, 2
			var open, most atomic.Int32
			var ready, least atomic.Int32
			least.Store(workers)
			r, err := offload.NewResources(context.Background(), offload.ResourceConfig[int]{
				Config:     offload.Config{Workers: workers},
				CloseFirst: closeFirst, ReplaceAtOnce: atOnce,
				Open: func(context.Context, func(error)) (int, error) {
					most.Store(max(most.Load(), open.Add(1)))
					time.Sleep(time.Second)
					ready.Add(1)
					return 0, nil
				},
				Close: func(int) error {
					least.Store(min(least.Load(), ready.Add(-1)))
					open.Add(-1)
					return nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if err := r.Restart(context.Background()); err != nil || time.Since(start) != 3*time.Second {
				t.Errorf("%v after %v, want 3 times one second", err, time.Since(start))
			}
			synctest.Wait()
			wantMost, wantLeast := int32(workers+atOnce), int32(workers)
			if closeFirst {
				wantMost, wantLeast = workers, workers-atOnce
			}
			if most.Load() != wantMost || least.Load() != wantLeast {
				t.Errorf("CloseFirst=%t: at most %d were open, at least %d ready, want %d and %d", closeFirst, most.Load(), least.Load(), wantMost, wantLeast)
			}
			r.Close()
			<-r.Done()
		})
	}
}

func TestRestartKeepsWhatCannotBeReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShop(t, offload.Config{Workers: 2})
		s.setRefuse(errors.New("no such model"))
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		start := time.Now()
		restarted := make(chan error, 1)
		go func() { restarted <- r.Restart(ctx) }()
		time.Sleep(5 * time.Second)
		if got := used(t, r, 2); !slices.Equal(got, []int{0, 1}) {
			t.Errorf("used are %v while no other can be opened, want the old ones", got)
		}
		if err := <-restarted; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 of 2") || time.Since(start) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		s.setRefuse(nil)
		time.Sleep(time.Minute)
		if got := used(t, r, 2); !slices.Equal(got, []int{0, 1}) || r.Stats().Replaced != 0 {
			t.Errorf("used are %v after Restart has given up, want the old ones: %+v", got, r.Stats())
		}
		if len(s.reports) < 3 || !strings.Contains(s.reports[0], "no such model") {
			t.Errorf("reports are %q", s.reports)
		}
		if err := r.Restart(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestRestartOfAStoppedPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r := newShop(t, offload.Config{Workers: 1})
		go use(context.Background(), r, func(context.Context, *handle) error { time.Sleep(time.Minute); return nil })
		synctest.Wait()
		restarted := make(chan error, 1)
		go func() { restarted <- r.Restart(context.Background()) }()
		synctest.Wait()
		go r.Shutdown(context.Background())
		synctest.Wait()
		for range 2 {
			if err := <-restarted; !errors.Is(err, offload.ErrClosed) {
				t.Error(err)
			}
			restarted <- r.Restart(context.Background())
		}
		<-r.Done()
		if st := r.Stats(); st.Opened != 2 {
			t.Errorf("%+v, want the spare opened, and closed", st)
		}
	})
}

// The resource that replaces another one fails before a worker has it.
func TestSpareThatFailsIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var newest atomic.Pointer[handle]
		s, r := newShopOf(t, offload.ResourceConfig[*handle]{Config: offload.Config{Workers: 1, Event: func(e offload.Event) {
			if e.Kind == offload.ResourceOpened {
				newest.Store(e.Resource.(*handle))
			}
		}}, Backoff: time.Second})
		go use(context.Background(), r, func(context.Context, *handle) error { time.Sleep(time.Minute); return nil })
		synctest.Wait()
		restarted := make(chan error, 1)
		go func() { restarted <- r.Restart(context.Background()) }()
		synctest.Wait()
		newest.Load().failed(errors.New("before it was used"))
		synctest.Wait()
		if got := s.closedSoFar(); !slices.Equal(got, []int{1}) {
			t.Errorf("closed are %v, want the spare", got)
		}
		if err := <-restarted; err != nil {
			t.Error(err)
		}
		if got := used(t, r, 1); got[0] != 2 {
			t.Errorf("handle %d is used, want 2", got[0])
		}
	})
}

func TestMaxTasksMaxAgeAndWorn(t *testing.T) {
	const many = 100
	for name, test := range map[string]struct {
		config offload.ResourceConfig[*handle]
		uses   int
		after  time.Duration // between them
		want   [2]uint64     // Replaced: at least and at most
	}{
		"MaxTasks":         {offload.ResourceConfig[*handle]{MaxTasks: 10}, many, 0, [2]uint64{10, 11}},
		"one task":         {offload.ResourceConfig[*handle]{MaxTasks: 1}, many, 0, [2]uint64{many, many}},
		"MaxAge":           {offload.ResourceConfig[*handle]{MaxAge: 10 * time.Second}, many, time.Second, [2]uint64{10, 11}},
		"MaxAge, idle":     {offload.ResourceConfig[*handle]{MaxAge: 10 * time.Second}, 1, many * time.Second, [2]uint64{10, 11}},
		"Worn after task":  {offload.ResourceConfig[*handle]{Worn: worn, CheckEvery: -1}, many, 0, [2]uint64{many / 2, many / 2}},
		"Worn, idle":       {offload.ResourceConfig[*handle]{Worn: worn, CheckEvery: time.Second}, 0, many * time.Second, [2]uint64{49, 51}},
		"Worn, by default": {offload.ResourceConfig[*handle]{Worn: worn}, 0, many * time.Second, [2]uint64{5, 5}},
	} {
		for _, closeFirst := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,CloseFirst=%t", name, closeFirst), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := test.config
					c.Config, c.CloseFirst = offload.Config{Workers: 1}, closeFirst
					s, r := newShopOf(t, c)
					for range max(test.uses, 1) {
						if test.uses > 0 {
							if _, err := use(context.Background(), r, well); err != nil {
								t.Fatal(err)
							}
						}
						time.Sleep(test.after)
						synctest.Wait()
					}
					st := r.Stats()
					if st.Replaced < test.want[0] || st.Replaced > test.want[1] || st.Failed != 0 || st.Opened != st.Replaced+1 {
						t.Errorf("%+v, want %d to %d replaced", st, test.want[0], test.want[1])
					}
					if len(s.reports) > 0 {
						t.Errorf("%q", s.reports)
					}
				})
			})
		}
	}
}

// worn says that every handle is worn when it is asked for the second time.
func worn(h *handle) error {
	if h.closed.Load() {
		panic("BUG: a closed handle was looked at")
	}
	if h.asked.Add(1) == 2 {
		return errors.New("asked twice")
	}
	return nil
}

// The check of a timer is under way when the resource is closed.
func TestNoCheckAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checking := make(chan struct{})
		r, err := offload.NewResources(context.Background(), offload.ResourceConfig[*atomic.Bool]{
			Config: offload.Config{Workers: 1}, CheckEvery: time.Second,
			Open: func(context.Context, func(error)) (*atomic.Bool, error) { return new(atomic.Bool), nil },
			Worn: func(closed *atomic.Bool) error {
				close(checking)
				time.Sleep(time.Minute)
				if closed.Load() {
					t.Error("it was closed while it was looked at")
				}
				return nil
			},
			Close: func(closed *atomic.Bool) error { closed.Store(true); return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		<-checking
		r.Close()
		<-r.Done()
	})
}
