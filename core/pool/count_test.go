package pool_test

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/recycling-go/recycling/core/pool"
)

// TestCountIsNeverBehind has jobs cease to count while others wait for their place: a count that
// Control.Count keeps must at no time exceed the jobs that Max allows.
func TestCountIsNeverBehind(t *testing.T) {
	for _, leave := range []bool{false, true} {
		for _, c := range []pool.Config[func(*pool.Control)]{{Max: 1, MaxPaused: 100}, {Max: 1, MaxPaused: 100, Group: new(pool.Group[func(*pool.Control)])}} {
			var counted atomic.Int64
			c.New = func(control *pool.Control) func(func(*pool.Control)) {
				control.Count = func(change int) {
					if change < 0 {
						for range 100 { // time for a job that begins too early
							runtime.Gosched()
						}
					}
					counted.Add(int64(change))
				}
				return func(job func(*pool.Control)) { job(control) }
			}
			pools := []*pool.Pool[func(*pool.Control)]{newPool(t, c), newPool(t, c)}
			if c.Group == nil {
				pools = pools[:1]
			}
			var all sync.WaitGroup
			for i := range 100 {
				all.Add(1)
				submit(t, pools[i%len(pools)], func(control *pool.Control) {
					if n := counted.Add(1); n != 1 {
						t.Errorf("%d jobs count, want 1", n)
					}
					if leave && !control.Leave() || !leave && !control.Pause() {
						t.Error("the job was not at work")
					}
					all.Done()
				})
			}
			all.Wait()
			if n := counted.Load(); n != 0 {
				t.Errorf("%d jobs count, want 0", n)
			}
		}
	}
}

func TestCountIsCalledOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []int
		p := newPool(t, pool.Config[func(*pool.Control)]{Max: 2, New: func(control *pool.Control) func(func(*pool.Control)) {
			control.Count = func(change int) { changes = append(changes, change) }
			return func(job func(*pool.Control)) { job(control) }
		}})
		for _, test := range []struct {
			job  func(*pool.Control)
			want []int
		}{
			{func(c *pool.Control) { c.Resume() }, nil},
			{func(c *pool.Control) { c.Pause(); c.Pause(); c.Resume(); c.Resume(); c.Pause() }, []int{-1, 1, -1}},
			{func(c *pool.Control) { c.Pause(); c.Leave(); c.Resume() }, []int{-1}},
			{func(c *pool.Control) { c.Leave(); c.Leave(); c.Pause(); c.Resume() }, []int{-1}},
			{func(c *pool.Control) { c.Pause(); panic("paused") }, []int{-1}},
			{func(c *pool.Control) { c.Pause(); runtime.Goexit() }, []int{-1}},
		} {
			changes = nil
			submit(t, p, test.job)
			synctest.Wait()
			if !slices.Equal(changes, test.want) {
				t.Errorf("changes are %v, want %v", changes, test.want)
			}
			if s := p.Stats(); s.Busy != 0 || s.Paused != 0 {
				t.Errorf("%+v, want none at work", s)
			}
		}
	})
}

// TestResumeGivesBackWhatItHeld has a job be submitted while Resume holds a permit that it gives
// back: the pool has looked for one in vain, so Resume has to wake a worker. That needs three
// goroutines at the same moment. Here, the test holds the permit instead of Resume.
func TestResumeGivesBackWhatItHeld(t *testing.T) {
	type job = func(*pool.Control)
	synctest.Test(t, func(t *testing.T) {
		group := new(pool.Group[job])
		resuming := func(int) {}
		c := pool.Config[job]{Max: 2, Group: group, New: func(control *pool.Control) func(job) {
			control.Count = func(change int) { resuming(change) }
			return func(j job) { j(control) }
		}}
		p, other := newPool(t, c), newPool(t, c)
		held := group.Permits()
		resume, end := make(chan bool), make(chan bool)
		submit(t, p, func(control *pool.Control) {
			control.Pause()
			<-resume
			control.Resume()
			<-end
		})
		synctest.Wait()
		if n := held.Take(2); n != 2 {
			t.Fatalf("took %d permits, want 2", n)
		}
		begun := make(chan bool)
		submit(t, other, func(*pool.Control) { close(begun) })
		synctest.Wait()
		held.Put(1) // for the job that resumes
		resuming = func(change int) { held.Put(1) }
		resume <- true
		synctest.Wait()
		select {
		case <-begun:
		default:
			t.Errorf("a job waits, and a permit is free: %+v", other.Stats())
		}
		close(end)
	})
}
