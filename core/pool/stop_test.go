package pool_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/pool"
)

// ended reports whether p is done.
func ended(p *pool.Pool[int]) bool {
	synctest.Wait()
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

func TestShutdownDoesWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeld(t, pool.Config[int]{Max: 2, Queue: 10})
		submit(t, p, numbers(0, 12)...)
		refused := make(chan error, 1)
		go func() { refused <- p.Submit(context.Background(), 99) }()
		synctest.Wait()
		stopped := make(chan error, 2)
		go func() { stopped <- p.Shutdown(context.Background()) }()
		go func() { stopped <- p.Shutdown(context.Background()) }()
		synctest.Wait()
		if err := <-refused; err != pool.ErrClosed {
			t.Errorf("Submit that waited: %v, want ErrClosed", err)
		}
		if err := p.TrySubmit(99); err != pool.ErrClosed {
			t.Errorf("TrySubmit: %v, want ErrClosed", err)
		}
		if err := p.Submit(context.Background(), 99); err != pool.ErrClosed {
			t.Errorf("Submit: %v, want ErrClosed", err)
		}
		if err := p.Push(12); err != nil {
			t.Errorf("Push while work goes on: %v", err)
		}
		h.letGo(12)
		if len(stopped) > 0 || ended(p) {
			t.Error("Shutdown did not wait for the last job")
		}
		h.letGo(1)
		h.expect(t, numbers(0, 13)...)
		if err := errors.Join(<-stopped, <-stopped); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := p.Push(13); err != pool.ErrClosed {
			t.Errorf("Push when the last worker has ended: %v, want ErrClosed", err)
		}
		if s := p.Stats(); s.Workers != 0 || s.Done != 13 {
			t.Errorf("%+v, want no workers and 13 jobs done", s)
		}
	})
}

func TestShutdownEndsIdleWorkersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeld(t, pool.Config[int]{Max: 5})
		submit(t, p, numbers(0, 5)...)
		h.letGo(4)
		go p.Shutdown(context.Background())
		synctest.Wait()
		if n := p.Stats().Workers; n != 1 {
			t.Errorf("%d workers are left, want the one that is at work", n)
		}
	})
}

func TestShutdownOfAPoolThatNeverWorked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, pool.Config[int]{Work: func(int) {}})
		shutdown(t, p)
		shutdown(t, p)
		if jobs := p.Close(); jobs != nil {
			t.Errorf("Close handed back %v, want nothing", jobs)
		}
	})
}

func TestShutdownSaysHowManyWereLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeld(t, pool.Config[int]{Max: 2})
		submit(t, p, numbers(0, 9)...)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := p.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v, want an error that wraps ctx's", err)
		}
		if s := err.Error(); !strings.Contains(s, "7 jobs queued") || !strings.Contains(s, "2 at work") {
			t.Errorf("Shutdown: %q, want 7 queued and 2 at work", s)
		}
		h.letGo(9)
		if !ended(p) {
			t.Error("the pool did not go on to do what was left")
		}
		if err := p.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown when all is done: %v, want nil although ctx has ended", err)
		}
	})
}

func TestShutdownWaitsForTheLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{c: make(chan []int)}
		h, p := newHeld(t, pool.Config[int]{Max: 2, Lead: src.lead})
		src.bring(0)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "Lead has not returned") {
			t.Errorf("Shutdown: %v, want an error that says that Lead has not returned", err)
		}
		src.bring(1, 2) // still accepted
		h.letGo(3)
		if src.leaders.Load() != 1 || ended(p) {
			t.Fatal("nobody leads although Lead has returned no error")
		}
		h.expect(t, 0, 1, 2)
		close(src.c)
		if !ended(p) {
			t.Error("the pool has not ended although leading has")
		}
	})
}

func TestCloseHandsBackWhatDidNotRun(t *testing.T) {
	for _, queued := range []int{0, 1, pool.ClaimBatchSize / 2, 3 * pool.ClaimBatchSize} {
		synctest.Test(t, func(t *testing.T) {
			h, p := newHeld(t, pool.Config[int]{Max: 2})
			submit(t, p, numbers(0, 10+queued)...)
			h.letGo(8) // so that some of the rest are in the front
			h.expect(t, numbers(0, 10)...)
			if jobs := p.Close(); !slices.Equal(jobs, numbers(10, 10+queued)) {
				t.Errorf("Close handed back %v, want 10 to %d", jobs, 10+queued-1)
			}
			if ended(p) {
				t.Error("Done although jobs are at work")
			}
			if s := p.Stats(); s.Done != 8 || s.Busy != 2 || s.Queued != 0 {
				t.Errorf("%+v, want 8 done, 2 at work, none queued", s)
			}
			if err := p.TrySubmit(99); err != pool.ErrClosed {
				t.Errorf("TrySubmit: %v, want ErrClosed", err)
			}
			if err := p.Push(99); err != pool.ErrClosed {
				t.Errorf("Push: %v, want ErrClosed", err)
			}
			if jobs := p.Close(); jobs != nil {
				t.Errorf("the second Close handed back %v, want nothing", jobs)
			}
			h.letGo(2)
			if !ended(p) {
				t.Error("not Done although the last job has ended")
			}
			h.expect(t)
		})
	}
}

func TestCloseRefusesSubmitsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, p := newHeld(t, pool.Config[int]{Max: 1, Queue: 1})
		submit(t, p, 0, 1)
		errs := make(chan error, 3)
		for i := range 3 {
			go func() { errs <- p.Submit(context.Background(), 2+i) }()
		}
		synctest.Wait()
		if jobs := p.Close(); !slices.Equal(jobs, []int{1}) {
			t.Errorf("Close handed back %v, want job 1 only", jobs)
		}
		for range 3 {
			if err := <-errs; err != pool.ErrClosed {
				t.Errorf("Submit that waited: %v, want ErrClosed", err)
			}
		}
	})
}

func TestCloseAgainHandsBackWhatTheLeaderBrought(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{c: make(chan []int)}
		h, p := newHeld(t, pool.Config[int]{Max: 2, Lead: src.lead})
		synctest.Wait()
		p.Close()
		if ended(p) {
			t.Fatal("Done although a worker is inside Lead")
		}
		src.bring(1, 2, 3)
		if !ended(p) {
			t.Error("not Done although the leader came back")
		}
		if jobs := p.Close(); !slices.Equal(jobs, []int{1, 2, 3}) {
			t.Errorf("the second Close handed back %v, want what the leader brought", jobs)
		}
		h.expect(t)
	})
}

func TestCloseEndsAShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeld(t, pool.Config[int]{Max: 1})
		submit(t, p, 0, 1, 2)
		stopped := make(chan error, 1)
		go func() { stopped <- p.Shutdown(context.Background()) }()
		synctest.Wait()
		if jobs := p.Close(); !slices.Equal(jobs, []int{1, 2}) {
			t.Errorf("Close handed back %v, want jobs 1 and 2", jobs)
		}
		h.letGo(1)
		if err := <-stopped; err != nil {
			t.Errorf("Shutdown: %v, want nil", err)
		}
		h.expect(t, 0)
	})
}

func TestJobMayClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *pool.Pool[int]
		p = newPool(t, pool.Config[int]{Max: 1, Work: func(int) { p.Close() }})
		submit(t, p, 1)
		if !ended(p) {
			t.Error("not Done after a job closed its pool")
		}
	})
}
