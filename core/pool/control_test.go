package pool_test

import (
	"context"
	"errors"
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

// A pausing job is controlled by the test, which sends it what to do next.
type pausing struct {
	do   chan func(*pool.Control)
	over chan struct{} // closed when it has ended
}

func newPausing() *pausing { return &pausing{make(chan func(*pool.Control)), make(chan struct{})} }

// run has the job call f.
func (j *pausing) run(f func(*pool.Control)) {
	j.do <- f
	synctest.Wait()
}

func (j *pausing) pause(t *testing.T, want bool) {
	t.Helper()
	j.run(func(c *pool.Control) {
		if got := c.Pause(); got != want {
			t.Errorf("Pause returned %v, want %v", got, want)
		}
	})
}

func (j *pausing) resume(t *testing.T, want bool) {
	t.Helper()
	j.run(func(c *pool.Control) {
		if got := c.Resume(); got != want {
			t.Errorf("Resume returned %v, want %v", got, want)
		}
	})
}

// end has the job return.
func (j *pausing) end() {
	close(j.do)
	synctest.Wait()
}

// begun reports whether the job has begun.
func (j *pausing) begun() bool {
	select {
	case j.do <- func(*pool.Control) {}:
		synctest.Wait()
		return true
	default:
		return false
	}
}

// inPools runs test in a bubble for a pool alone and for one of a group.
func inPools(t *testing.T, c pool.Config[*pausing], test func(t *testing.T, p *pool.Pool[*pausing])) {
	c.New = func(control *pool.Control) func(*pausing) {
		return func(j *pausing) {
			defer close(j.over)
			for f := range j.do {
				f(control)
			}
		}
	}
	for _, name := range []string{"alone", "group"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := c
				if name == "group" {
					c.Group = new(pool.Group[*pausing])
					newPool(t, c)
				}
				test(t, newPool(t, c))
			})
		})
	}
}

// start submits n jobs.
func start(t *testing.T, p *pool.Pool[*pausing], n int) (jobs []*pausing) {
	t.Helper()
	for range n {
		j := newPausing()
		jobs = append(jobs, j)
		submit(t, p, j)
	}
	synctest.Wait()
	return jobs
}

func begun(t *testing.T, jobs []*pausing, want ...bool) {
	t.Helper()
	for i, j := range jobs {
		if got := j.begun(); got != want[i] {
			t.Fatalf("job %d has begun: %v, want %v", i, got, want[i])
		}
	}
}

func TestPausedJobMakesRoom(t *testing.T) {
	inPools(t, pool.Config[*pausing]{Max: 1}, func(t *testing.T, p *pool.Pool[*pausing]) {
		jobs := start(t, p, 2)
		begun(t, jobs, true, false)
		jobs[0].pause(t, true)
		begun(t, jobs, true, true)
		if s := p.Stats(); s.Paused != 1 || s.Busy != 1 || s.Workers != 1 || s.Done != 0 {
			t.Errorf("%+v, want 1 worker, which is busy, and 1 paused", s)
		}
		jobs[0].end()
		jobs[1].end()
		if s := p.Stats(); s.Paused != 0 || s.Busy != 0 || s.Done != 2 {
			t.Errorf("%+v, want 2 done", s)
		}
	})
}

func TestPauseAndResumeDoNothingTwice(t *testing.T) {
	inPools(t, pool.Config[*pausing]{Max: 2}, func(t *testing.T, p *pool.Pool[*pausing]) {
		j := start(t, p, 1)[0]
		j.resume(t, false)
		j.pause(t, true)
		j.pause(t, false)
		j.resume(t, true)
		j.resume(t, false)
		if s := p.Stats(); s.Paused != 0 || s.Busy != 1 {
			t.Errorf("%+v, want 1 busy", s)
		}
		j.end()
	})
}

// TestResumedJobsArePaidBack has more jobs at work than Max, because some have resumed. No other
// job may begin until there are fewer than Max.
func TestResumedJobsArePaidBack(t *testing.T) {
	inPools(t, pool.Config[*pausing]{Max: 2, MaxPaused: 3}, func(t *testing.T, p *pool.Pool[*pausing]) {
		jobs := start(t, p, 8)
		jobs[0].pause(t, true)
		jobs[1].pause(t, true)
		jobs[2].pause(t, true)
		begun(t, jobs, true, true, true, true, true, false, false, false)
		for _, j := range jobs[:3] {
			j.resume(t, true)
		}
		if s := p.Stats(); s.Busy != 5 || s.Paused != 0 {
			t.Fatalf("%+v, want 5 busy", s)
		}
		jobs[4].end()
		jobs[0].end()
		jobs[1].end()
		begun(t, jobs[5:], false, false, false) // 2 are at work
		jobs[2].end()
		begun(t, jobs[5:], true, false, false)
		jobs[3].end()
		begun(t, jobs[5:], true, true, false)
		for _, j := range jobs[5:] {
			j.end()
		}
		if s := p.Stats(); s.Busy != 0 || s.Done != 8 {
			t.Errorf("%+v, want 8 done", s)
		}
	})
}

func TestPausesAreLimited(t *testing.T) {
	inPools(t, pool.Config[*pausing]{Max: 1, MaxPaused: 2}, func(t *testing.T, p *pool.Pool[*pausing]) {
		jobs := start(t, p, 5)
		jobs[0].pause(t, true)
		jobs[1].pause(t, true)
		jobs[2].pause(t, false)
		begun(t, jobs, true, true, true, false, false)
		jobs[0].resume(t, true) // beyond Max, and so it still counts
		jobs[2].pause(t, true)  // but this pays for it
		begun(t, jobs, true, true, true, false, false)
		jobs[0].pause(t, false)
		jobs[1].resume(t, true)
		jobs[2].resume(t, true)
		jobs[0].pause(t, true)
		jobs[1].pause(t, true)
		jobs[2].pause(t, false)
		begun(t, jobs, true, true, true, false, false)
		for _, j := range jobs {
			j.end()
		}
	})
}

func TestPausedJobMayEnd(t *testing.T) {
	for name, end := range map[string]func(){
		"panic":  func() { panic("pause") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			inPools(t, pool.Config[*pausing]{Max: 1}, func(t *testing.T, p *pool.Pool[*pausing]) {
				jobs := start(t, p, 3)
				jobs[0].pause(t, true)
				jobs[0].run(func(*pool.Control) { end() })
				begun(t, jobs[1:], true, false)
				jobs[1].end()
				begun(t, jobs[2:], true)
				if s := p.Stats(); s.Busy != 1 || s.Paused != 0 || s.Workers < 1 {
					t.Errorf("%+v, want 1 busy", s)
				}
				jobs[2].end()
			})
		})
	}
}

func TestPausedJobMayLeave(t *testing.T) {
	inPools(t, pool.Config[*pausing]{Max: 1, MaxPaused: 1}, func(t *testing.T, p *pool.Pool[*pausing]) {
		jobs := start(t, p, 4)
		jobs[0].pause(t, true)
		jobs[0].run(func(c *pool.Control) {
			if c.Leave() {
				t.Error("Leave says that a paused job was at work")
			}
		})
		jobs[0].resume(t, false)
		jobs[0].pause(t, false)
		begun(t, jobs[1:], true, false, false)
		jobs[1].pause(t, true) // the one that has left does not count
		begun(t, jobs[2:], true, false)
		if s := p.Stats(); s.Busy != 1 || s.Paused != 1 || s.Done != 1 {
			t.Errorf("%+v, want 1 busy, 1 paused, 1 done", s)
		}
		for _, j := range jobs {
			j.end()
		}
	})
}

func TestShutdownWaitsForPausedJobs(t *testing.T) {
	inPools(t, pool.Config[*pausing]{Max: 1}, func(t *testing.T, p *pool.Pool[*pausing]) {
		j := start(t, p, 1)[0]
		j.pause(t, true)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := p.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "0 at work, 1 paused") {
			t.Errorf("Shutdown returned %v", err)
		}
		p.Close()
		select {
		case <-p.Done():
			t.Error("the pool is done, and a job is paused")
		default:
		}
		j.resume(t, true)
		j.end()
		<-p.Done()
	})
}

// TestPausesInRandomOrder checks that neither more than Max+MaxPaused jobs have begun at any time,
// nor any is lost, and that afterwards Max workers work.
func TestPausesInRandomOrder(t *testing.T) {
	for seed := range uint64(8) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		most, paused := int64(1+rnd.IntN(3)), int64(1+rnd.IntN(3))
		var inside, seen atomic.Int64
		type job struct {
			kind int
			done *sync.WaitGroup
		}
		c := pool.Config[job]{Max: int(most), MaxPaused: int(paused), Group: new(pool.Group[job])}
		c.New = func(control *pool.Control) func(job) {
			return func(j job) {
				n := inside.Add(1)
				for old := seen.Load(); n > old && !seen.CompareAndSwap(old, n); old = seen.Load() {
				}
				out := sync.OnceFunc(func() { inside.Add(-1) })
				defer j.done.Done()
				defer out()
				for range j.kind % 3 {
					control.Pause()
					runtime.Gosched()
					control.Resume()
				}
				switch j.kind % 32 {
				case 0:
					control.Pause()
					panic("pause")
				case 1:
					control.Pause()
					runtime.Goexit()
				case 2:
					control.Pause()
				case 3:
					control.Pause()
					out()
					control.Leave()
					control.Resume()
				}
			}
		}
		pools := []*pool.Pool[job]{newPool(t, c), newPool(t, c), newPool(t, c)}
		var all sync.WaitGroup
		for range 3000 {
			all.Add(1)
			submit(t, pools[rnd.IntN(len(pools))], job{rnd.IntN(1 << 20), &all})
		}
		all.Wait()
		if n := seen.Load(); n > most+paused {
			t.Errorf("%d jobs had begun, want at most %d+%d", n, most, paused)
		}
		s := pool.Stats{}
		for _, p := range pools {
			shutdown(t, p)
			st := p.Stats()
			s.Busy, s.Paused, s.Queued, s.Done = s.Busy+st.Busy, s.Paused+st.Paused, s.Queued+st.Queued, s.Done+st.Done
		}
		if s.Busy != 0 || s.Paused != 0 || s.Queued != 0 || s.Done != 3000 {
			t.Errorf("%+v, want 3000 done", s)
		}
	}
}
