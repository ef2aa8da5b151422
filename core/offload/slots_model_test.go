package offload_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/recycling-go/recycling/core/offload"
)

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
