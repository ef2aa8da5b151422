package pool_test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/recycling-go/recycling/core/pool"
)

var errSourceEnded = errors.New("source ended")

// A source is what a leader waits on. It counts the leaders.
type source struct {
	c       chan []int
	leaders atomic.Int32
	most    atomic.Int32
}

func (s *source) lead(batch []int) ([]int, error) {
	if n := s.leaders.Add(1); n > s.most.Load() {
		s.most.Store(n)
	}
	defer s.leaders.Add(-1)
	jobs, ok := <-s.c
	if !ok {
		return nil, errSourceEnded
	}
	return append(batch, jobs...), nil
}

func (s *source) bring(jobs ...int) {
	s.c <- jobs
	synctest.Wait()
}

// newLed returns a pool with a source, whose jobs are held. The source ends at the end of the test.
func newLed(t *testing.T, c pool.Config[int]) (*source, *held, *pool.Pool[int]) {
	s := &source{c: make(chan []int)}
	c.Lead = s.lead
	h, p := newHeld(t, c)
	t.Cleanup(func() { close(s.c) })
	synctest.Wait()
	return s, h, p
}

func TestOneWorkerLeadsFromTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, p := newLed(t, pool.Config[int]{Max: 3})
		if s.leaders.Load() != 1 {
			t.Errorf("%d workers lead, want 1", s.leaders.Load())
		}
		if s := p.Stats(); s.Workers != 1 || !s.Leading || s.Idle != 0 || s.Busy != 0 {
			t.Errorf("%+v, want one worker, and that leads", s)
		}
	})
}

func TestLeaderIsOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h, p := newLed(t, pool.Config[int]{Max: 4})
		for i := range 20 {
			s.bring(numbers(0, i%7)...) // an empty batch is allowed too
			h.letGo(i % 7)
			if n := s.leaders.Load(); n != 1 {
				t.Fatalf("%d workers lead after batch %d, want 1", n, i)
			}
		}
		if n := s.most.Load(); n != 1 {
			t.Errorf("%d workers led at the same time, want 1", n)
		}
		if n := p.Stats().Workers; n > 5 {
			t.Errorf("%d workers, want no more than Max and one that leads", n)
		}
	})
}

func TestSomebodyLeadsWhileAllWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h, p := newLed(t, pool.Config[int]{Max: 2})
		s.bring(0)
		h.expect(t, 0)
		s.bring(1, 2)
		h.expect(t, 1)
		s.bring(3)
		s.bring(4)
		h.expect(t)
		if st := p.Stats(); st.Workers != 3 || st.Busy != 2 || st.Queued != 3 || !st.Leading {
			t.Fatalf("%+v, want 2 workers at work, one that leads, 3 jobs queued", st)
		}
		for i := range 3 {
			h.letGo(1)
			h.expect(t, 2+i)
		}
		h.letGo(2)
		if st := p.Stats(); st.Workers != 3 || st.Idle != 2 || !st.Leading {
			t.Errorf("%+v, want 2 workers idle and one that leads", st)
		}
	})
}

func TestLeaderWorksItselfAndTheIdleOneLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h, p := newLed(t, pool.Config[int]{Max: 4})
		for range 10 {
			s.bring(0)
			h.expect(t, 0)
			h.letGo(1)
		}
		if n := p.Stats().Started; n != 2 {
			t.Errorf("%d workers were started for jobs that came one by one, want 2 that take turns", n)
		}
	})
}

func TestBatchIsSpreadOverWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h, p := newLed(t, pool.Config[int]{Max: 8})
		s.bring(numbers(0, 20)...)
		h.expect(t, numbers(0, 8)...)
		if s.leaders.Load() != 1 {
			t.Errorf("%d workers lead, want 1", s.leaders.Load())
		}
		for i := range 12 {
			h.letGo(1)
			h.expect(t, 8+i)
		}
		h.letGo(8)
		if st := p.Stats(); st.Done != 20 || st.Workers != 9 {
			t.Errorf("%+v, want 20 jobs done by 8 workers while one led", st)
		}
	})
}

func TestSubmittedJobNeedsNoLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h, p := newLed(t, pool.Config[int]{Max: 1})
		submit(t, p, 0)
		h.expect(t, 0)
		if s.leaders.Load() != 1 {
			t.Error("nobody leads while a job that was submitted is done")
		}
		h.letGo(1)
	})
}

func TestJobsFromLeadAreAlwaysTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, h, p := newLed(t, pool.Config[int]{Max: 1, Queue: 2})
		s.bring(numbers(0, 10)...)
		if err := p.TrySubmit(10); err != pool.ErrFull {
			t.Errorf("TrySubmit behind 9 jobs where 2 may wait: %v, want ErrFull", err)
		}
		if err := p.Push(11, 12); err != nil {
			t.Errorf("Push to a full queue: %v", err)
		}
		h.letGo(12)
		if n := p.Stats().Done; n != 12 {
			t.Errorf("%d jobs were done, want 12", n)
		}
	})
}

func TestErrorEndsLeadingForGood(t *testing.T) {
	for name, end := range map[string]func() error{
		"error":  func() error { return errSourceEnded },
		"Goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				var h *held
				h, p := newHeld(t, pool.Config[int]{Max: 2, Lead: func(batch []int) ([]int, error) {
					calls++
					if calls == 1 {
						return append(batch, 0), nil
					}
					return append(batch, 1), end()
				}})
				want := []int{0, 1}
				if name == "Goexit" {
					want = want[:1]
				}
				h.expect(t, want...)
				h.letGo(len(want))
				submit(t, p, 2, 3, 4)
				h.expect(t, 2, 3)
				h.letGo(3)
				h.expect(t, 4)
				if s := p.Stats(); calls != 2 || s.Leading {
					t.Errorf("Lead was called %d times, and %+v, want 2 calls and nobody leading", calls, s)
				}
				shutdown(t, p)
			})
		})
	}
}

func TestGoexitOfAJobDoesNotStopLeading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{c: make(chan []int)}
		p := newPool(t, pool.Config[int]{Max: 1, Lead: s.lead, Work: func(int) { runtime.Goexit() }})
		t.Cleanup(func() { close(s.c) })
		for range 5 {
			s.bring(1, 2, 3)
		}
		if st := p.Stats(); st.Done != 15 || !st.Leading || st.Busy != 0 {
			t.Errorf("%+v, want 15 jobs done, and somebody leading", st)
		}
	})
}

func TestPanicInLeadEndsTheProgram(t *testing.T) {
	const env = "POOL_TEST_PANIC_IN_LEAD"
	if os.Getenv(env) != "" {
		p, _ := pool.New(pool.Config[int]{Work: func(int) {}, Lead: func([]int) ([]int, error) { panic("in Lead") }})
		<-p.Done()
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=10s")
	c.Env = append(os.Environ(), env+"=1")
	out, err := c.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "panic: in Lead") {
		t.Errorf("the program ended with error %v and printed\n%s", err, out)
	}
}
