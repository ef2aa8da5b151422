package offload_test

import (
	"context"
	"errors"
	"fmt"
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
	s := &shop{t: t}
	r, err := offload.NewResources(context.Background(), offload.ResourceConfig[*handle]{
		Config: c, Open: s.open, Close: s.close, Failed: s.report, Backoff: time.Second, MaxBackoff: 5 * time.Second,
	})
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

func TestBrokenResourceIsReplaced(t *testing.T) {
	for name, fail := range map[string]func(*handle) error{
		"ErrBroken": func(*handle) error { return fmt.Errorf("my handle: %w", offload.ErrBroken) },
		"failed":    func(h *handle) error { h.failed(errors.New("my handle")); return nil },
		"both":      func(h *handle) error { h.failed(errors.New("my handle")); return offload.ErrBroken },
		"panic":     func(*handle) error { panic("my handle") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, r := newShop(t, offload.Config{Workers: 1})
				if n, err := use(context.Background(), r, well); n != 0 || err != nil {
					t.Fatal(n, err)
				}
				func() {
					defer func() {
						if v := recover(); (v != nil) != (name == "panic") {
							t.Errorf("panic with %v", v)
						}
					}()
					use(context.Background(), r, func(_ context.Context, h *handle) error { return fail(h) })
				}()
				start := time.Now()
				if n, err := use(context.Background(), r, well); n != 1 || err != nil || time.Since(start) != 0 {
					t.Errorf("handle %d, %v after %v, want handle 1 at once, as handle 0 has done a task", n, err, time.Since(start))
				}
				if len(s.reports) != 1 {
					t.Errorf("reported were %q, want one", s.reports)
				}
				if st := r.Stats(); st.Opened != 2 || st.Failed != 1 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

func TestGoexitBreaksTheResource(t *testing.T) {
	_, r := newShop(t, offload.Config{Workers: 1})
	use(context.Background(), r, well)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		use(context.Background(), r, func(context.Context, *handle) error { runtime.Goexit(); return nil })
	}()
	<-gone
	if n, err := use(context.Background(), r, well); n != 1 || err != nil {
		t.Error(n, err)
	}
}

func TestIdleResourceThatFailsIsReplacedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r := newShop(t, offload.Config{Workers: 2})
		var h *handle
		use(context.Background(), r, func(_ context.Context, got *handle) error { h = got; return nil })
		h.failed(errors.New("out of the blue"))
		h.failed(errors.New("again"))
		synctest.Wait()
		if !h.closed.Load() {
			t.Error("it was not closed")
		}
		if st := r.Stats(); st.Opened != 3 || st.Failed != 1 || st.Idle != 2 {
			t.Errorf("%+v", st)
		}
		h.failed(errors.New("when it is history"))
		synctest.Wait()
		if st := r.Stats(); st.Opened != 3 || st.Failed != 1 || st.Idle != 2 {
			t.Errorf("%+v", st)
		}
	})
}

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShop(t, offload.Config{Workers: 1, Wait: time.Minute})
		use(context.Background(), r, well)
		s.setRefuse(errors.New("not today"))
		start := time.Now()
		use(context.Background(), r, func(context.Context, *handle) error { return offload.ErrBroken })
		time.Sleep(20 * time.Second)
		var got []time.Duration
		s.mu.Lock()
		for _, at := range s.opened[1:] {
			got = append(got, at.Sub(start))
		}
		s.mu.Unlock()
		const sec = time.Second
		if want := []time.Duration{0, 1 * sec, 3 * sec, 7 * sec, 12 * sec, 17 * sec}; !slices.Equal(got, want) {
			t.Errorf("tried after %v, want %v", got, want)
		}
		if st := r.Stats(); st.Restarting != 1 || st.Failed != 1+6 {
			t.Errorf("%+v", st)
		}
		s.setRefuse(nil)
		if n, err := use(context.Background(), r, well); n != 7 || err != nil || time.Since(start) != 22*sec {
			t.Errorf("handle %d, %v after %v: want the call to wait for the handle of the next try", n, err, time.Since(start))
		}
	})
}

// One of two handles is unavailable for a while.
func TestOthersGoOnWhileOneIsRestarted(t *testing.T) {
	for policy, want := range map[offload.Policy]time.Duration{offload.Shared: 0, offload.RoundRobin: time.Second} {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, r := newShop(t, offload.Config{Workers: 2, Policy: policy})
				s.setRefuse(errors.New("not now"))
				use(context.Background(), r, func(context.Context, *handle) error { return offload.ErrBroken })
				s.setRefuse(nil)
				start := time.Now()
				for range 10 {
					if _, err := use(context.Background(), r, well); err != nil {
						t.Error(err)
					}
				}
				if d := time.Since(start); d != want {
					t.Errorf("10 calls took %v, want %v", d, want)
				}
			})
		})
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

// Shutdown is called while no handle can be built: a waiting call gets a handle if there is one in
// time, and is shed otherwise.
func TestShutdownDuringARestart(t *testing.T) {
	for _, again := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s, r := newShop(t, offload.Config{Workers: 2, Wait: 10 * time.Second})
			s.setRefuse(errors.New("not now"))
			for range 2 {
				use(context.Background(), r, func(context.Context, *handle) error { return offload.ErrBroken })
			}
			results := make(chan error, 1)
			go func() { _, err := use(context.Background(), r, well); results <- err }()
			synctest.Wait()
			start := time.Now()
			go r.Shutdown(context.Background())
			time.Sleep(1500 * time.Millisecond)
			if again {
				s.setRefuse(nil)
			}
			<-r.Done()
			if err := <-results; again && err != nil || !again && !errors.Is(err, offload.ErrWait) {
				t.Errorf("%t: %v", again, err)
			}
			if want := map[bool]time.Duration{true: 3 * time.Second, false: 10 * time.Second}[again]; time.Since(start) != want {
				t.Errorf("done after %v, want %v", time.Since(start), want)
			}
		})
	}
}

func TestCloseDuringARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShop(t, offload.Config{Workers: 2, Wait: 10 * time.Second})
		s.setRefuse(errors.New("not now"))
		for range 2 {
			use(context.Background(), r, func(context.Context, *handle) error { return offload.ErrBroken })
		}
		results := make(chan error, 1)
		go func() { _, err := use(context.Background(), r, well); results <- err }()
		synctest.Wait()
		start := time.Now()
		r.Close()
		<-r.Done()
		if err := <-results; !errors.Is(err, offload.ErrClosed) || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
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

// Open and Close may misbehave in any way.
func TestOpenThatPanicsOrExits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		var reports atomic.Int32
		r, err := offload.NewResources(context.Background(), offload.ResourceConfig[int]{
			Config: offload.Config{Workers: 1, Wait: -1},
			Open: func(_ context.Context, failed func(error)) (int, error) {
				switch n := n.Add(1); n {
				case 2:
					panic("open")
				case 3:
					runtime.Goexit()
				case 4:
					failed(errors.New("broken from the start"))
				}
				return int(n.Load()), nil
			},
			Close: func(n int) error {
				switch n {
				case 1:
					panic("close")
				case 4:
					return errors.New("close")
				}
				runtime.Goexit()
				return nil
			},
			Failed: func(error) { reports.Add(1) },
		})
		if err != nil {
			t.Fatal(err)
		}
		offload.Use(context.Background(), r, func(context.Context, int) (int, error) { return 0, offload.ErrBroken })
		got, err := offload.Use(context.Background(), r, func(_ context.Context, n int) (int, error) { return n, nil })
		if got != 5 || err != nil {
			t.Errorf("resource %d, %v, want the fifth", got, err)
		}
		if reports.Load() != 6 {
			t.Errorf("%d reports, want 6", reports.Load())
		}
		if err := r.Shutdown(context.Background()); err != nil {
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
