package pool_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/pool"
)

// totals returns the sums of the pools' counters.
func totals(all []*pool.Pool[int]) (s pool.Stats) {
	for _, p := range all {
		st := p.Stats()
		s.Workers += st.Workers
		s.Idle += st.Idle
		s.Busy += st.Busy
		s.Queued += st.Queued
		s.Started += st.Started
		s.Done += st.Done
	}
	return s
}

func TestIdleWorkersOfOtherPoolsServeABusyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeldGroup(t, 4, pool.Config[int]{Max: 100, Standby: 40})
		for i, p := range p {
			submit(t, p, numbers(10*i, 10*i+10)...)
		}
		h.expect(t, numbers(0, 40)...)
		h.letGo(40)
		if s := totals(p); s.Idle != 40 || s.Started != 40 {
			t.Fatalf("%+v, want 40 idle workers", s)
		}
		submit(t, p[2], numbers(100, 140)...)
		h.expect(t, numbers(100, 140)...)
		if s := totals(p); s.Started != 40 || s.Busy != 40 || p[2].Stats().Workers != 40 {
			t.Errorf("%+v, want that the 40 idle workers are at work, and that no other was started", s)
		}
		submit(t, p[2], 200)
		h.expect(t, 200)
		if s := totals(p); s.Started != 41 || s.Workers != 41 {
			t.Errorf("%+v, want that a worker was started when none was idle", s)
		}
		h.letGo(41)
		submit(t, p[0], numbers(300, 341)...) // they move back
		h.expect(t, numbers(300, 341)...)
		h.letGo(41)
		if s := totals(p); s.Started != 41 || s.Done != 122 || s.Busy != 0 {
			t.Errorf("%+v, want 41 workers, and 122 jobs that are done", s)
		}
	})
}

// A worker that another pool has adopted leads there.
func TestAdoptedWorkerLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{make(chan int, 100), make(chan struct{}, 100)}
		source := make(chan int)
		c := pool.Config[int]{Max: 8, Standby: 4, Work: h.work, Group: new(pool.Group[int])}
		idle := newPool(t, c)
		submit(t, idle, 1, 2, 3)
		h.expect(t, 1, 2, 3)
		h.letGo(3)
		c.Lead = func(batch []int) ([]int, error) {
			job, ok := <-source
			if !ok {
				return batch, errors.New("over")
			}
			return append(batch, job), nil
		}
		led := newPool(t, c)
		t.Cleanup(func() { close(source); close(h.let) })
		synctest.Wait()
		if st := led.Stats(); !st.Leading || st.Workers != 1 || st.Started != 0 {
			t.Errorf("%+v, want an adopted worker that leads", st)
		}
		source <- 4
		h.expect(t, 4)
		if st := led.Stats(); !st.Leading || st.Workers != 2 || st.Started != 0 {
			t.Errorf("%+v, want two adopted workers, one of which leads", st)
		}
	})
}

// A pool keeps no more idle workers than its part of Standby after it has adopted many. It gives
// the others back before it ends the rest.
func TestSurplusIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeldGroup(t, 4, pool.Config[int]{Max: 100, Standby: 8, IdleTime: time.Second})
		for i, p := range p {
			submit(t, p, numbers(10*i, 10*i+5)...)
		}
		synctest.Wait()
		h.letGo(20)
		submit(t, p[0], numbers(100, 120)...)
		synctest.Wait()
		h.letGo(20)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		for _, p := range p {
			if s := p.Stats(); s.Idle != 2 || s.Workers != 2 {
				t.Errorf("%+v, want two idle workers in each pool", s)
			}
		}
		if s := totals(p); s.Started != 20 {
			t.Errorf("%d workers were started, want 20", s.Started)
		}
	})
}

// A pool that stops does not end workers that another pool has adopted.
func TestAdoptedWorkerOutlivesItsFormerPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeldGroup(t, 2, pool.Config[int]{Max: 2})
		submit(t, p[0], 1)
		h.expect(t, 1)
		h.letGo(1)
		submit(t, p[1], 2)
		h.expect(t, 2)
		p[0].Close()
		<-p[0].Done()
		if st := p[1].Stats(); st.Busy != 1 || st.Started != 0 {
			t.Fatalf("%+v, want one adopted worker at work", st)
		}
		h.letGo(1)
		submit(t, p[1], 3)
		h.expect(t, 3)
		h.letGo(1)
		shutdown(t, p[1])
	})
}

// TestPoolsStopWhileOthersAdopt starts, uses and stops pools of one group at random. No job may be
// forgotten, and no pool may wait for a worker that has left it.
func TestPoolsStopWhileOthersAdopt(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	var wg sync.WaitGroup
	for seed := range uint64(4) {
		g := new(pool.Group[*sync.WaitGroup])
		for user := range uint64(3) {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(seed, user))
				for range rounds {
					stopWhileOthersAdopt(t, g, rnd)
				}
			})
		}
	}
	wg.Wait()
}

func stopWhileOthersAdopt(t *testing.T, g *pool.Group[*sync.WaitGroup], rnd *rand.Rand) {
	p, err := pool.New(pool.Config[*sync.WaitGroup]{
		Work: (*sync.WaitGroup).Done, Max: 4, Standby: 2, Group: g, IdleTime: time.Millisecond,
	})
	if err != nil {
		t.Error(err)
		return
	}
	for range rnd.IntN(20) {
		var jobs sync.WaitGroup
		n := 1 + rnd.IntN(8)
		jobs.Add(n)
		for range n {
			if err := p.Push(&jobs); err != nil {
				t.Error(err)
				return
			}
		}
		jobs.Wait()
	}
	p.Close()
	select {
	case <-p.Done():
	case <-time.After(20 * time.Second):
		t.Errorf("a closed pool does not end: %+v", p.Stats())
	}
}
