package offload_test

import (
	"context"
	"errors"
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

// A shop builds handles, and records what happens to them.
type shop struct {
	t testing.TB

	mu      sync.Mutex // guards following
	opened  []time.Time
	closed  []int
	reports []string
	refuse  error // the error for open
}

// A handle is not safe for concurrent use.
type handle struct {
	n      int
	inUse  atomic.Int32
	closed atomic.Bool
	failed func(error)
	asked  atomic.Int32 // calls of worn
}

func (s *shop) open(ctx context.Context, failed func(error)) (*handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		s.opened = append(s.opened, time.Now())
		return nil, s.refuse
	}
	h := &handle{n: len(s.opened), failed: failed}
	s.opened = append(s.opened, time.Now())
	return h, nil
}

func (s *shop) close(h *handle) error {
	if h.inUse.Load() != 0 {
		s.t.Errorf("handle %d was closed while in use", h.n)
	}
	if h.closed.Swap(true) {
		s.t.Errorf("handle %d was closed twice", h.n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = append(s.closed, h.n)
	return nil
}

func (s *shop) report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, err.Error())
}

// closedSoFar returns the numbers of the handles closed so far.
func (s *shop) closedSoFar() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.closed)
}

func (s *shop) openedSoFar() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.opened)
}

func (s *shop) setRefuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = err
}

// use runs f with a handle, and checks that no other task owns it.
func use(ctx context.Context, s *offload.Resources[*handle], f func(context.Context, *handle) error) (int, error) {
	return offload.Use(ctx, s, func(ctx context.Context, h *handle) (int, error) {
		if h.inUse.Add(1) != 1 || h.closed.Load() {
			panic("BUG: a handle is in use or closed")
		}
		defer h.inUse.Add(-1)
		return h.n, f(ctx, h)
	})
}

func well(context.Context, *handle) error { return nil }

// newShop returns Resources that are closed, and waited for, at the end of the test; then every
// handle must be closed.
func newShop(t testing.TB, c offload.Config) (*shop, *offload.Resources[*handle]) {
	t.Helper()
	return newShopOf(t, offload.ResourceConfig[*handle]{Config: c, Backoff: time.Second, MaxBackoff: 5 * time.Second})
}

// newShopOf is newShop with the rest of a configuration.
func newShopOf(t testing.TB, c offload.ResourceConfig[*handle]) (*shop, *offload.Resources[*handle]) {
	t.Helper()
	s := &shop{t: t}
	c.Open, c.Close, c.Failed = s.open, s.close, s.report
	r, err := offload.NewResources(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		<-r.Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		slices.Sort(s.closed)
		if st := r.Stats(); len(s.closed) != int(st.Opened) || len(slices.Compact(s.closed)) != int(st.Opened) {
			t.Errorf("%d were opened, closed %v", st.Opened, s.closed)
		}
	})
	return s, r
}

func TestResourcesAreExclusive(t *testing.T) {
	_, r := newShop(t, offload.Config{Workers: 3, Queue: 1000, Wait: -1})
	var callers sync.WaitGroup
	for range 30 {
		callers.Go(func() {
			for range 100 {
				if _, err := use(context.Background(), r, func(context.Context, *handle) error { runtime.Gosched(); return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	if s := r.Stats(); s.Opened != 3 || s.Failed != 0 || s.Done != 3000 || s.Idle != 3 {
		t.Errorf("%+v", s)
	}
}

func TestAbandonedTaskKeepsItsResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r := newShop(t, offload.Config{Workers: 1, Timeout: time.Second, Wait: -1})
		if _, err := use(context.Background(), r, func(context.Context, *handle) error { time.Sleep(1500 * time.Millisecond); return nil }); err != context.DeadlineExceeded {
			t.Error(err)
		}
		start := time.Now()
		if _, err := use(context.Background(), r, well); err != nil || time.Since(start) != 500*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestAllAreClosedOnShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShop(t, offload.Config{Workers: 3, Wait: -1})
		for range 7 {
			go use(context.Background(), r, func(context.Context, *handle) error { time.Sleep(time.Second); return nil })
		}
		synctest.Wait()
		go r.Shutdown(context.Background())
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		if closed := s.closedSoFar(); len(closed) != 2 || ended(r) {
			t.Errorf("closed are %v, want those of the workers that have nothing to do any more", closed)
		}
		time.Sleep(time.Second)
		if closed := s.closedSoFar(); !ended(r) || len(closed) != 3 {
			t.Errorf("closed are %v, want all", closed)
		}
		if st := r.Stats(); st.Done != 7 || st.Failed != 0 || len(s.reports) > 0 {
			t.Errorf("%+v, %q", st, s.reports)
		}
	})
}

func TestNewResourcesFailsAsAWhole(t *testing.T) {
	for name, fail := range map[string]func() (int, error){
		"error": func() (int, error) { return 0, errors.New("no such model") },
		"panic": func() (int, error) { panic("no such model") },
		"exit":  func() (int, error) { runtime.Goexit(); return 0, nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var opened, closed atomic.Int32
				r, err := offload.NewResources(context.Background(), offload.ResourceConfig[int]{
					Config: offload.Config{Workers: 4},
					Open: func(ctx context.Context, _ func(error)) (int, error) {
						switch opened.Add(1) {
						case 3:
							return fail()
						case 4:
							<-ctx.Done()
							return 0, ctx.Err()
						}
						return 1, nil
					},
					Close: func(int) error { closed.Add(1); return nil },
				})
				want := "no such model"
				if name == "exit" {
					want = "Goexit"
				}
				if r != nil || err == nil || !strings.Contains(err.Error(), want) || closed.Load() != 2 {
					t.Errorf("%v, %v, %d closed, want an error, and the two that were built closed", r, err, closed.Load())
				}
			})
		})
	}
}

func TestNewResourcesHeedsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := offload.NewResources(ctx, offload.ResourceConfig[int]{
			Open: func(ctx context.Context, _ func(error)) (int, error) { <-ctx.Done(); return 0, ctx.Err() },
		})
		if err != context.DeadlineExceeded {
			t.Error(err)
		}
	})
}

func TestResourcesUnderStress(t *testing.T) {
	s := &shop{t: t}
	r, err := offload.NewResources(context.Background(), offload.ResourceConfig[*handle]{
		Config: offload.Config{Workers: 4, Queue: 20, Wait: 20 * time.Millisecond},
		Open: func(ctx context.Context, failed func(error)) (*handle, error) {
			h, err := s.open(ctx, failed)
			if err == nil && h.n >= 4 {
				if h.n%3 == 0 {
					err = errors.New("refused")
				} else if h.n%5 == 0 {
					go h.failed(errors.New("at some time"))
				}
			}
			return h, err
		},
		Close: s.close, Failed: s.report, Backoff: time.Microsecond, MaxBackoff: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	var callers sync.WaitGroup
	for i := range 32 {
		callers.Go(func() {
			for n := 0; r.Stats().Done < 1000; n++ {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n%10)*time.Millisecond)
				use(ctx, r, func(_ context.Context, h *handle) error {
					time.Sleep(time.Duration(n%4) * 50 * time.Microsecond)
					switch (n + i) % 10 {
					case 0:
						return offload.ErrBroken
					case 1:
						h.failed(errors.New("failed"))
					}
					return nil
				})
				cancel()
			}
			r.Shutdown(context.Background())
		})
	}
	callers.Wait()
	<-r.Done()
	if st := r.Stats(); int(st.Opened) != len(s.closed) || st.Restarting+st.Running+st.Idle+st.Queued != 0 || st.Failed < 100 {
		t.Errorf("%+v, %d closed", st, len(s.closed))
	}
}
