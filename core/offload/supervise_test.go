package offload_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

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
