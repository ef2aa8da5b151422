package pool_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/pool"
)

// newHeldGroup returns n pools of a group whose jobs are held, as in newHeld.
func newHeldGroup(t *testing.T, n int, c pool.Config[int]) (*held, []*pool.Pool[int]) {
	h := &held{make(chan int, 10_000), make(chan struct{}, 10_000)}
	c.Work = h.work
	c.Group = new(pool.Group[int])
	var all []*pool.Pool[int]
	for range n {
		all = append(all, newPool(t, c))
	}
	t.Cleanup(func() { close(h.let) })
	return h, all
}

func TestPoolsOfAGroupHaveOneLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeldGroup(t, 3, pool.Config[int]{Max: 4})
		submit(t, p[0], 1, 2, 3)
		h.expect(t, 1, 2, 3)
		submit(t, p[1], 11, 12)
		h.expect(t, 11) // the fourth job at work
		submit(t, p[2], 21)
		h.expect(t)
		h.letGo(2)
		h.expect(t, 12, 21)
		if a, b, c := p[0].Stats(), p[1].Stats(), p[2].Stats(); a.Busy+b.Busy+c.Busy != 4 || a.Done+b.Done+c.Done != 2 || a.Lent+b.Lent+c.Lent != 0 {
			t.Errorf("%+v\n%+v\n%+v\nwant four busy workers, and two jobs done", a, b, c)
		}
		h.letGo(4)
		submit(t, p[2], 22, 23, 24, 25, 26)
		h.expect(t, 22, 23, 24, 25)
		h.letGo(5)
		h.expect(t, 26)
	})
}

func TestPoolsOfAGroupTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeldGroup(t, 3, pool.Config[int]{Max: 1})
		submit(t, p[0], 0)
		h.expect(t, 0)
		submit(t, p[0], numbers(1, 200)...) // more than a front holds
		submit(t, p[1], numbers(1000, 1005)...)
		submit(t, p[2], 2000)
		h.expect(t)
		h.letGo(12)
		h.expect(t, append(numbers(1, 7), 1000, 1001, 1002, 1003, 1004, 2000)...)
	})
}

func TestWorkerThatEndsWakesTheNextPool(t *testing.T) {
	for name, end := range map[string]func(*pool.Control){
		"Goexit": func(*pool.Control) { runtime.Goexit() },
		"leave":  func(c *pool.Control) { c.Leave() },
		"panic":  func(*pool.Control) { panic("group") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := pool.Config[chan bool]{Max: 1, Group: new(pool.Group[chan bool])}
				c.New = func(control *pool.Control) func(chan bool) {
					return func(let chan bool) {
						<-let
						end(control)
					}
				}
				a, b := newPool(t, c), newPool(t, c)
				first, then := make(chan bool), make(chan bool)
				submit(t, a, first)
				synctest.Wait()
				submit(t, b, then)
				first <- true
				then <- true
			})
		})
	}
}

func TestLeaderOfAGroupLeadsWhileAllAreAtWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{make(chan int, 100), make(chan struct{}, 100)}
		source := make(chan int)
		c := pool.Config[int]{Max: 1, Work: h.work, Group: new(pool.Group[int])}
		b := newPool(t, c)
		c.Lead = func(batch []int) ([]int, error) {
			job, ok := <-source
			if !ok {
				return batch, errors.New("over")
			}
			return append(batch, job), nil
		}
		newPool(t, c)
		t.Cleanup(func() { close(source); close(h.let) })
		submit(t, b, 1)
		h.expect(t, 1)
		source <- 2
		source <- 3
		h.expect(t)
		h.letGo(1)
		h.expect(t, 2)
		h.letGo(1)
		h.expect(t, 3)
	})
}

func TestGroupKeepsStandbyTogether(t *testing.T) {
	for _, standby := range []int{-1, 1, 3, 7} {
		synctest.Test(t, func(t *testing.T) {
			const n = 3
			h, p := newHeldGroup(t, n, pool.Config[int]{Max: 30, Standby: standby, IdleTime: time.Second})
			for _, p := range p {
				submit(t, p, numbers(0, 10)...)
			}
			synctest.Wait()
			h.letGo(10 * n)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			idle := 0
			for _, p := range p {
				idle += p.Stats().Idle
			}
			if want := max(standby, 0); idle != want {
				t.Errorf("%d idle workers are kept, want %d", idle, want)
			}
		})
	}
}

func TestShutdownInAGroupWaitsForWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeldGroup(t, 2, pool.Config[int]{Max: 1})
		submit(t, p[0], 1)
		h.expect(t, 1)
		submit(t, p[1], 11, 12)
		done := make(chan error, 1)
		go func() { done <- p[1].Shutdown(context.Background()) }()
		synctest.Wait()
		if len(done) > 0 {
			t.Fatal("Shutdown has returned, and two jobs are queued")
		}
		h.letGo(1)
		h.expect(t, 11)
		h.letGo(2)
		h.expect(t, 12)
		if err := <-done; err != nil {
			t.Error(err)
		}
		submit(t, p[0], 2)
		h.expect(t, 2)
	})
}

func TestCloseInAGroupHandsBackWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeldGroup(t, 2, pool.Config[int]{Max: 1})
		submit(t, p[0], 1)
		h.expect(t, 1)
		submit(t, p[1], 11, 12)
		if left := p[1].Close(); len(left) != 2 {
			t.Errorf("Close hands back %v", left)
		}
		<-p[1].Done()
		submit(t, p[0], 2)
		h.letGo(1)
		h.expect(t, 2)
	})
}

func TestGroupWantsOneLimit(t *testing.T) {
	work := func(int) {}
	g := new(pool.Group[int])
	newPool(t, pool.Config[int]{Work: work, Max: 3, Standby: 1, Group: g})
	for _, c := range []pool.Config[int]{
		{Max: 4, Standby: 1},
		{Max: 3, Standby: 2},
		{Max: 3, Standby: 1, Queue: 1},
	} {
		c.Work, c.Group = work, g
		if _, err := pool.New(c); err == nil || !strings.Contains(err.Error(), "Group") {
			t.Errorf("%+v: %v, want an error about Group", c, err)
		}
	}
}

// TestNoJobOfAGroupIsForgotten starts the next round only when all jobs are done, so a worker that
// was not woken is missed forever.
func TestNoJobOfAGroupIsForgotten(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	for seed := range uint64(8) {
		forgetting(t, rounds/8, rand.New(rand.NewPCG(seed, 2)))
	}
}

type groupJob struct {
	kind uint32
	done *sync.WaitGroup
}

func forgetting(t *testing.T, rounds int, rnd *rand.Rand) {
	var atWork, most atomic.Int64
	limit := 1 + rnd.IntN(4)
	c := pool.Config[groupJob]{
		Max:      limit,
		Standby:  min(rnd.IntN(3), limit),
		IdleTime: time.Duration(rnd.IntN(200)) * time.Microsecond,
		Group:    new(pool.Group[groupJob]),
	}
	c.New = func(control *pool.Control) func(groupJob) {
		return func(j groupJob) {
			if n := atWork.Add(1); n > int64(limit) {
				most.Store(n)
			}
			left := sync.OnceFunc(func() { atWork.Add(-1) })
			defer j.done.Done()
			defer left()
			switch j.kind % 64 {
			case 0:
				panic("group")
			case 1:
				runtime.Goexit()
			case 2:
				left()
				control.Leave()
			case 3, 4, 5:
				runtime.Gosched()
			case 6:
				time.Sleep(10 * time.Microsecond)
			}
		}
	}
	source := make(chan groupJob)
	var pools []*pool.Pool[groupJob]
	for i := range 2 + rnd.IntN(3) {
		c := c
		if i == 0 {
			c.Lead = func(batch []groupJob) ([]groupJob, error) {
				j, ok := <-source
				if !ok {
					return batch, errors.New("over")
				}
				return append(batch, j), nil
			}
		}
		p, err := pool.New(c)
		if err != nil {
			t.Fatal(err)
		}
		pools = append(pools, p)
	}
	var jobs uint64
	for range rounds {
		var done sync.WaitGroup
		for range 1 + rnd.IntN(12) {
			j := groupJob{rnd.Uint32(), &done}
			done.Add(1)
			jobs++
			if i := rnd.IntN(len(pools) + 1); i == len(pools) {
				source <- j
			} else if pools[i].Push(j) != nil {
				t.Fatal("a pool is closed")
			}
		}
		over := make(chan struct{})
		go func() { done.Wait(); close(over) }()
		select {
		case <-over:
		case <-time.After(20 * time.Second):
			for _, p := range pools {
				t.Errorf("%+v", p.Stats())
			}
			t.Fatal("a job was forgotten")
		}
	}
	close(source)
	var s pool.Stats
	for _, p := range pools {
		shutdown(t, p)
		one := p.Stats()
		s.Done, s.Busy, s.Lent = s.Done+one.Done, s.Busy+one.Busy, s.Lent+one.Lent
	}
	if s.Done != jobs || s.Busy != 0 || s.Lent != 0 {
		t.Errorf("%d jobs are done, of %d; %d workers are busy; %d jobs are lent", s.Done, jobs, s.Busy, s.Lent)
	}
	if n := most.Load(); n > 0 {
		t.Errorf("%d workers were at work, want %d at most", n, limit)
	}
}

// A worker whose pool is stopped while it is at work releases its permit to a pool with waiting
// jobs.
func TestStoppedPoolReleasesItsPermit(t *testing.T) {
	for name, stop := range map[string]func(p *pool.Pool[func()]){
		"Close": func(p *pool.Pool[func()]) { p.Close() },
		"Shutdown": func(p *pool.Pool[func()]) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			p.Shutdown(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := pool.Config[func()]{Work: func(f func()) { f() }, Max: 1, Group: new(pool.Group[func()])}
			p, err := pool.New(c)
			if err != nil {
				t.Fatal(err)
			}
			q, err := pool.New(c)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { q.Close(); <-q.Done(); p.Close(); <-p.Done() }()
			begun, release, done := make(chan bool), make(chan bool), make(chan bool)
			p.Push(func() { close(begun); <-release })
			<-begun
			q.Push(func() { close(done) })
			stop(p)
			close(release)
			select {
			case <-done:
			case <-time.After(10 * time.Second):
				t.Errorf("a job waits though nobody is at work: %+v", q.Stats())
			}
		})
	}
}

// As many idle workers as there can be are kept, in any number of pools.
func TestLargestStandbyOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { largestStandby(t) })
}

func largestStandby(t *testing.T) {
	g := new(pool.Group[int])
	var done sync.WaitGroup
	for range 3 {
		p := newPool(t, pool.Config[int]{
			Work: func(int) { done.Done() }, Max: math.MaxInt - 1, Standby: math.MaxInt - 1, Group: g, IdleTime: time.Millisecond,
		})
		for range 3 {
			done.Add(1)
			submit(t, p, 1)
		}
		done.Wait()
		if st := p.Stats(); st.Workers == 0 {
			t.Errorf("%+v", st)
		}
	}
	time.Sleep(time.Second) // by then a timer has looked for surplus workers
}
