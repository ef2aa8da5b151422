package offload_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
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

// TestSlotsAsInTheModel makes random calls, ends them in random order, and compares what runs with
// a simple model after each step.
func TestSlotsAsInTheModel(t *testing.T) {
	seed := rand.Uint64()
	for round := range 60 {
		for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
			inEveryWay(t, func(t *testing.T, w way) {
				newSlotModel(t, w, policy, rand.New(rand.NewPCG(seed, uint64(round)))).run(300)
			})
			if t.Failed() {
				t.Fatalf("%v: seed %d, round %d", policy, seed, round)
			}
		}
	}
}

// A slotModel is a pool and a model of it.
type slotModel struct {
	t       *testing.T
	way     way
	policy  offload.Policy
	rand    *rand.Rand
	pool    *offload.Pool
	free    offload.Slots // in the model
	calls   []*modelCall  // waiting and running in the model, oldest first
	workers int
	turn    int
	arrived int

	mu    sync.Mutex
	began map[int]bool // calls that run in the pool
}

type modelCall struct {
	n       int
	needs   offload.Slots
	worker  int // of RoundRobin
	running bool
	end     chan struct{}
	cancel  context.CancelFunc
}

func newSlotModel(t *testing.T, w way, policy offload.Policy, r *rand.Rand) *slotModel {
	m := &slotModel{t: t, way: w, policy: policy, rand: r, workers: 1 + r.IntN(5), began: map[int]bool{}}
	m.free = offload.Slots{"a": 1 + r.Int64N(3), "b": 1 + r.Int64N(5), "c": math.MaxInt64}
	m.pool = newPool(t, offload.Config{Workers: m.workers, MaxWorkers: 8, Queue: 1000, Wait: -1, Policy: policy, Slots: m.free})
	m.free = maps.Clone(m.free)
	return m
}

func (m *slotModel) run(steps int) {
	total := maps.Clone(m.free)
	for range steps {
		switch n := m.rand.IntN(20); {
		case n < 9:
			m.arrive(total)
		case n < 16:
			m.end(true)
		case n < 18:
			m.end(false)
		case m.policy == offload.Shared:
			m.resize()
		}
		m.schedule()
		m.compare()
	}
	for len(m.calls) > 0 {
		m.end(true)
		m.schedule()
		m.compare()
	}
	for name, n := range m.pool.Occupied() {
		if n != 0 {
			m.t.Errorf("%d of %s are occupied at the end", n, name)
		}
	}
}

func (m *slotModel) arrive(total offload.Slots) {
	c := &modelCall{n: m.arrived, needs: offload.Slots{}, worker: m.turn, end: make(chan struct{})}
	m.arrived++
	m.turn = (m.turn + 1) % m.workers
	for name, n := range total {
		if m.rand.IntN(3) == 0 {
			c.needs[name] = 1 + m.rand.Int64N(n)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	m.calls = append(m.calls, c)
	pool := with(m.t, m.pool, c.needs)
	go m.way.run(ctx, pool, func(context.Context) error {
		m.mark(c.n, true)
		<-c.end
		m.mark(c.n, false)
		return nil
	})
}

func (m *slotModel) mark(n int, begun bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if begun {
		m.began[n] = true
	} else {
		delete(m.began, n)
	}
}

// end ends a random call that runs, or that waits.
func (m *slotModel) end(running bool) {
	var some []int
	for i, c := range m.calls {
		if c.running == running {
			some = append(some, i)
		}
	}
	if len(some) == 0 {
		return
	}
	i := some[m.rand.IntN(len(some))]
	c := m.calls[i]
	m.calls = slices.Delete(m.calls, i, i+1)
	if running {
		for name, n := range c.needs {
			m.free[name] += n
		}
		close(c.end)
	}
	c.cancel()
}

func (m *slotModel) resize() {
	by := m.rand.IntN(5) - 2
	busy := 0
	for _, c := range m.calls {
		if c.running {
			busy++
		}
	}
	want := m.workers + by
	got, err := m.pool.Resize(by)
	if want < 1 || want > 8 {
		if !errors.Is(err, offload.ErrWorkers) || got != m.workers {
			m.t.Errorf("%d, %v, want %d and ErrWorkers", got, err, m.workers)
		}
		return
	}
	if err != nil || got != want {
		m.t.Errorf("%d, %v, want %d", got, err, want)
	}
	m.workers = want
}

// schedule begins what can begin in the model.
func (m *slotModel) schedule() {
	busy, busyWorker := 0, map[int]bool{}
	for _, c := range m.calls {
		if c.running {
			busy++
			busyWorker[c.worker] = true
		}
	}
	blocked := map[string]bool{} // by calls that have waited longer
	for _, c := range m.calls {
		if c.running {
			continue
		}
		fits := busy < m.workers
		if m.policy == offload.RoundRobin {
			fits = !busyWorker[c.worker]
		}
		for name, n := range c.needs {
			fits = fits && !blocked[name] && m.free[name] >= n
		}
		if !fits {
			for name := range c.needs {
				blocked[name] = true
			}
			continue
		}
		c.running = true
		busy++
		busyWorker[c.worker] = true
		for name, n := range c.needs {
			m.free[name] -= n
		}
	}
}

func (m *slotModel) compare() {
	synctest.Wait()
	want := map[int]bool{}
	for _, c := range m.calls {
		if c.running {
			want[c.n] = true
		}
	}
	m.mu.Lock()
	got := maps.Clone(m.began)
	m.mu.Unlock()
	if !maps.Equal(got, want) {
		m.t.Fatalf("after %d calls with %d workers run %v, want %v", m.arrived, m.workers, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	s := m.pool.Stats()
	if s.Queued != len(m.calls)-len(want) || s.Running != len(want) || s.Workers != m.workers || s.Idle != max(m.workers-len(want), 0) {
		m.t.Fatalf("%+v, want %s", s, fmt.Sprint(len(want), " running of ", len(m.calls), ", ", m.workers, " workers"))
	}
}
