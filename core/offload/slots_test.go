package offload_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

// with is p.With, which must succeed.
func with(t testing.TB, p *offload.Pool, s offload.Slots) *offload.Pool {
	t.Helper()
	p, err := p.With(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestSlotsThatAreNotThere(t *testing.T) {
	p := newPool(t, offload.Config{Workers: 1, Slots: offload.Slots{"GPU": 2, "none": 0, "all": math.MaxInt64}})
	r, err := offload.NewResources(context.Background(), offload.ResourceConfig[int]{
		Config: offload.Config{Workers: 1, Slots: offload.Slots{"GPU": 2}},
		Open:   func(context.Context, func(error)) (int, error) { return 0, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		r.Close()
		<-r.Done()
	}()
	for _, test := range []struct {
		slots  offload.Slots
		excess bool
		want   string
	}{
		{offload.Slots{"GPU": 3}, true, `wants 3 of "GPU", there are 2`},
		{offload.Slots{"GPU": math.MaxInt64}, true, `wants 9223372036854775807 of "GPU", there are 2`},
		{offload.Slots{"none": 1}, true, `wants 1 of "none", there are 0`},
		{offload.Slots{"TPU": 1, "GPU": 1}, true, `wants 1 of "TPU", there are 0`},
		{offload.Slots{"GPU": -1}, false, `Slots["GPU"] is -1`},
		{offload.Slots{"GPU": math.MinInt64}, false, `Slots["GPU"] is -9223372036854775808`},
	} {
		_, err := p.With(test.slots)
		if err == nil || errors.Is(err, offload.ErrSlots) != test.excess || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.slots, err, test.want)
		}
		if _, err2 := r.With(test.slots); err2 == nil || test.slots["none"] == 0 && err2.Error() != err.Error() {
			t.Errorf("%v: %v, want %v", test.slots, err2, err)
		}
	}
	for _, enough := range []offload.Slots{nil, {}, {"GPU": 0}, {"TPU": 0}, {"GPU": 2}, {"all": math.MaxInt64}} {
		if err := ways[0].run(context.Background(), with(t, p, enough), nothing); err != nil {
			t.Errorf("%v: %v", enough, err)
		}
		if s := p.Occupied(); s["GPU"] != 0 || s["all"] != 0 {
			t.Errorf("%v are occupied after all has ended", s)
		}
	}
}

func TestOccupiedSlots(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w way) {
		p := newPool(t, offload.Config{Workers: 9, Slots: offload.Slots{"GPU": 2, "memory": 10}})
		a := newCrowd(w, with(t, p, offload.Slots{"GPU": 1, "memory": 4}))
		for range 3 {
			a.call(context.Background(), sleep(time.Second))
		}
		if got := p.Occupied(); got["GPU"] != 2 || got["memory"] != 8 || len(got) != 2 {
			t.Errorf("%v", got)
		}
		if s := p.Stats(); s.Running != 2 || s.Queued != 1 || s.Idle != 7 {
			t.Errorf("%+v, want two running and one waiting, though workers are idle", s)
		}
		time.Sleep(1500 * time.Millisecond)
		if got := p.Occupied(); got["GPU"] != 1 || got["memory"] != 4 {
			t.Errorf("%v", got)
		}
		time.Sleep(time.Second)
	})
}

// A call that needs much comes after some that need little. Later ones that need little must wait
// behind it, but those that need nothing of it must not.
func TestSlotsAreFair(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w way) {
		p := newPool(t, offload.Config{Workers: 9, Slots: offload.Slots{"GPU": 2, "disk": 1}, Wait: -1})
		needs := map[string]*offload.Pool{"1": with(t, p, offload.Slots{"GPU": 1}), "2": with(t, p, offload.Slots{"GPU": 2}), "disk": with(t, p, offload.Slots{"disk": 1}), "-": p}
		var mu sync.Mutex
		var began []string
		for _, n := range []string{"1", "2", "1", "-", "disk", "1"} {
			c := newCrowd(w, needs[n])
			c.call(context.Background(), func(context.Context) error {
				mu.Lock()
				began = append(began, n)
				mu.Unlock()
				time.Sleep(time.Second)
				return nil
			})
		}
		check := func(want ...string) {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(began, want) {
				t.Errorf("begun have %v, want %v", began, want)
			}
		}
		check("1", "-", "disk")
		time.Sleep(1500 * time.Millisecond)
		check("1", "-", "disk", "2")
		time.Sleep(time.Second)
		check("1", "-", "disk", "2", "1", "1")
		time.Sleep(time.Second)
	})
}

// A waiting call that leaves lets those continue that waited only because of it.
func TestWhoWaitsForSlotsAndLeaves(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w way) {
		for name, end := range map[string]func(cancel func()){
			"canceled": func(cancel func()) { cancel() },
			"late":     func(func()) { time.Sleep(3 * time.Second) },
		} {
			p := newPool(t, offload.Config{Workers: 9, Slots: offload.Slots{"GPU": 2}, Wait: 2 * time.Second})
			one, two := newCrowd(w, with(t, p, offload.Slots{"GPU": 1})), newCrowd(w, with(t, p, offload.Slots{"GPU": 2}))
			ctx, cancel := context.WithCancel(context.Background())
			one.call(context.Background(), sleep(time.Minute))
			two.call(ctx, sleep(0))
			time.Sleep(time.Second)
			one.call(context.Background(), sleep(0))
			one.none(t)
			end(cancel)
			if r := one.next(t); r.n != 1 || r.err != nil {
				t.Errorf("%s: %+v", name, r)
			}
			if r := two.next(t); r.err == nil {
				t.Errorf("%s: %+v", name, r)
			}
			cancel()
			time.Sleep(time.Minute)
		}
	})
}

// An abandoned task still occupies its slots.
func TestAbandonedTaskKeepsItsSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, offload.Config{Workers: 2, Slots: offload.Slots{"GPU": 1}, Wait: -1})
		c := newCrowd(ways[0], with(t, p, offload.Slots{"GPU": 1}))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c.call(ctx, sleep(5*time.Second))
		c.call(context.Background(), sleep(0))
		time.Sleep(5 * time.Second)
		if r := c.next(t); r.n != 0 || r.err != context.DeadlineExceeded || r.after != time.Second {
			t.Errorf("%+v", r)
		}
		if r := c.next(t); r.n != 1 || r.err != nil || r.after != 5*time.Second {
			t.Errorf("%+v, want it to wait until the task returns", r)
		}
	})
}

// Shutdown lets calls that wait for slots have them, though workers are idle; Close does not.
func TestStoppingWhileSlotsAreWaitedFor(t *testing.T) {
	for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
		inEveryWay(t, func(t *testing.T, w way) {
			for _, shutdown := range []bool{true, false} {
				p := newPool(t, offload.Config{Workers: 3, Slots: offload.Slots{"GPU": 1}, Wait: -1, Policy: policy})
				c := newCrowd(w, with(t, p, offload.Slots{"GPU": 1}))
				for range 3 {
					c.call(context.Background(), sleep(time.Second))
				}
				start := time.Now()
				if shutdown {
					if err := p.Shutdown(context.Background()); err != nil || time.Since(start) != 3*time.Second {
						t.Errorf("%v after %v", err, time.Since(start))
					}
				} else {
					p.Close()
				}
				<-p.Done()
				failed := 0
				for range 3 {
					if r := c.next(t); r.err != nil {
						failed++
					}
				}
				if shutdown != (failed == 0) {
					t.Errorf("Shutdown=%t: %d calls have failed", shutdown, failed)
				}
			}
		})
	}
}

func TestMiddlewareWithSlots(t *testing.T) {
	p := newPool(t, offload.Config{Workers: 2, Queue: -1, Slots: offload.Slots{"GPU": 1}})
	var h http.Handler
	ask := func() int {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
		return rec.Code
	}
	h = with(t, p, offload.Slots{"GPU": 1}).Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := p.Occupied()["GPU"]; got != 1 {
			t.Errorf("%d GPUs are occupied", got)
		}
		if code := ask(); code != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503, as the GPU is occupied", code)
		}
	}))
	if code := ask(); code != http.StatusOK {
		t.Errorf("status %d", code)
	}
}
