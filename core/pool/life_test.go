package pool_test

import (
	"bytes"
	"log"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/pool"
)

func TestWorkerIsRecycled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made, done := 0, 0 // there is only one worker, so no lock is needed
		p := newPool(t, pool.Config[int]{Max: 8, New: func(*pool.Control) func(int) {
			made++
			return func(int) { done++ }
		}})
		for range 100 {
			submit(t, p, 1)
			synctest.Wait()
		}
		if s := p.Stats(); made != 1 || done != 100 || s.Started != 1 || s.Done != 100 {
			t.Errorf("%d jobs done by %d workers, New called %d times, want 100, 1, 1", done, s.Started, made)
		}
	})
}

func TestWorkersAreAddedOnlyWhenNobodyIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeld(t, pool.Config[int]{Max: 100, Standby: 100})
		for round := range 3 {
			submit(t, p, numbers(0, 10)...)
			h.expect(t, numbers(0, 10)...)
			if s := p.Stats(); s.Workers != 10 || s.Busy != 10 || s.Idle != 0 {
				t.Fatalf("round %d: %+v, want 10 workers, all busy", round, s)
			}
			h.letGo(10)
		}
	})
}

func TestLastIdleWorkerIsWokenFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{}, 5)
		var last *int // the worker that finished the last job
		p := newPool(t, pool.Config[int]{Max: 5, Standby: 5, New: func(*pool.Control) func(int) {
			me := new(int)
			return func(int) {
				<-let
				last = me
			}
		}})
		submit(t, p, 1, 2, 3, 4, 5)
		for range 5 {
			let <- struct{}{}
			synctest.Wait()
		}
		for range 10 {
			want := last
			let <- struct{}{}
			submit(t, p, 6)
			synctest.Wait()
			if last != want {
				t.Fatal("a job was not done by the worker that had been idle for the shortest time")
			}
		}
	})
}

func TestGoexitKeepsTheSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done := 0
		p := newPool(t, pool.Config[bool]{Max: 1, Work: func(exit bool) {
			done++
			if exit {
				runtime.Goexit()
			}
		}})
		submit(t, p, true, false, true, true, false, true)
		synctest.Wait()
		if s := p.Stats(); done != 6 || s.Done != 6 || s.Workers != 0 || s.Busy != 0 || s.Started != 4 {
			t.Errorf("%d jobs were done, and %+v, want 6 done by 4 workers of which none is left", done, s)
		}
		submit(t, p, false)
		synctest.Wait()
		if s := p.Stats(); done != 7 || s.Workers != 1 || s.Idle != 1 {
			t.Errorf("%d jobs were done, and %+v, want 7 and one idle worker", done, s)
		}
	})
}

func TestPanicEndsOnlyItsJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		p := newPool(t, pool.Config[any]{Max: 1, New: func(*pool.Control) func(any) {
			made++
			return func(job any) { panicIfNotNil(job) }
		}})
		submit[any](t, p, nil, "one", nil, "two")
		synctest.Wait()
		s := p.Stats()
		if s.Done != 4 || s.Panics != 2 || s.Started != 1 || s.Idle != 1 {
			t.Errorf("%+v, want 4 jobs done, 2 of them panicked, all by one worker", s)
		}
		if made != 2 {
			t.Errorf("New was called %d times, want 2: not before there is a job again", made)
		}
	})
}

func panicIfNotNil(v any) {
	if v != nil {
		panic(v)
	}
}

func TestPanicIsLogged(t *testing.T) {
	var b bytes.Buffer
	defer log.SetOutput(log.Writer())
	log.SetOutput(&b)
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, pool.Config[any]{Work: panicIfNotNil})
		submit[any](t, p, "oh dear")
		synctest.Wait()
	})
	if s := b.String(); !strings.Contains(s, "oh dear") || !strings.Contains(s, "panicIfNotNil") {
		t.Errorf("printed: %s, want value and stack", s)
	}
}

func TestPanicInNewLosesOnlyTheJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, done := 0, 0
		p := newPool(t, pool.Config[int]{
			Max: 1,
			New: func(*pool.Control) func(int) {
				if calls++; calls < 3 {
					panic("not yet")
				}
				return func(int) { done++ }
			},
		})
		submit(t, p, 1, 2, 3, 4)
		synctest.Wait()
		if s := p.Stats(); done != 2 || s.Done != 4 || s.Panics != 2 {
			t.Errorf("%d jobs reached Work, and %+v, want 2, 4 and 2", done, s)
		}
	})
}

func TestSurplusWorkersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idleTime = time.Minute
		h, p := newHeld(t, pool.Config[int]{Max: 10, Standby: 3, IdleTime: idleTime})
		submit(t, p, numbers(0, 10)...)
		h.expect(t, numbers(0, 10)...)
		time.Sleep(10 * idleTime)
		if n := p.Stats().Workers; n != 10 {
			t.Fatalf("%d workers, want 10: at work is not surplus", n)
		}
		h.letGo(10)
		time.Sleep(idleTime - 1)
		synctest.Wait()
		if n := p.Stats().Workers; n != 10 {
			t.Errorf("%d workers before IdleTime has passed, want 10", n)
		}
		time.Sleep(idleTime + 1)
		synctest.Wait()
		if s := p.Stats(); s.Workers != 3 || s.Idle != 3 {
			t.Errorf("%d workers after twice IdleTime, %d of them idle, want 3", s.Workers, s.Idle)
		}
		submit(t, p, numbers(0, 4)...)
		h.expect(t, numbers(0, 4)...)
		if n := p.Stats().Started; n != 11 {
			t.Errorf("%d workers were started, want 11: the 3 that were kept took a job each", n)
		}
	})
}

func TestWorkersInUseAreNotSurplus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idleTime = time.Minute
		h, p := newHeld(t, pool.Config[int]{Max: 10, Standby: -1, IdleTime: idleTime})
		submit(t, p, numbers(0, 10)...)
		h.expect(t, numbers(0, 10)...)
		h.letGo(10)
		for range 20 { // six workers are needed now and then, four never
			time.Sleep(idleTime/3 + time.Millisecond) // never at the same moment as the timer
			submit(t, p, numbers(0, 6)...)
			h.expect(t, numbers(0, 6)...)
			h.letGo(6)
		}
		if s := p.Stats(); s.Workers != 6 || s.Started != 10 {
			t.Errorf("%d workers of %d are left, want 6 of 10", s.Workers, s.Started)
		}
		time.Sleep(2 * idleTime)
		synctest.Wait()
		if s := p.Stats(); s.Workers != 0 {
			t.Errorf("%d workers are left when none is to stand by, want 0", s.Workers)
		}
	})
}

func TestDismissedWorkerTakesAJobThatHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idleTime = time.Minute
		h, p := newHeld(t, pool.Config[int]{Max: 2, Standby: -1, IdleTime: idleTime})
		for range 50 {
			submit(t, p, 1, 2)
			h.expect(t, 1, 2)
			h.letGo(2)
			time.Sleep(2 * idleTime) // the workers may be dismissed at this very moment
			submit(t, p, 1, 2)
			h.expect(t, 1, 2)
			h.letGo(2)
		}
	})
}

func TestMemoryOfAPeakIsFreed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeld(t, pool.Config[int]{Max: 3, Queue: 5000, IdleTime: time.Minute})
		submit(t, p, numbers(0, 5003)...)
		go p.Submit(t.Context(), 5003)
		synctest.Wait()
		if slots, _, _ := p.Spares(); slots != 8192 {
			t.Fatalf("%d slots, want 8192", slots)
		}
		h.letGo(5004)
		if _, _, waiters := p.Spares(); waiters != 1 {
			t.Fatalf("%d spare waiters, want 1", waiters)
		}
		time.Sleep(time.Hour)
		if slots, fronts, waiters := p.Spares(); slots != pool.MinRing || fronts != 0 || waiters != 0 {
			t.Errorf("%d slots, %d spare fronts, %d spare waiters an hour later, want %d, 0, 0", slots, fronts, waiters, pool.MinRing)
		}
	})
}

// TestJobThatLeavesMakesRoom has a job call Leave, so that its worker no longer counts.
func TestJobThatLeavesMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone, done := make(chan string), 0
		p := newPool(t, pool.Config[string]{
			Max: 1,
			New: func(c *pool.Control) func(string) {
				return func(job string) {
					if job == "" {
						done++
						return
					}
					if !c.Leave() || c.Leave() {
						t.Error("Leave does not say whether the worker was at work")
					}
					switch <-gone; job {
					case "panic":
						panic(job)
					case "exit":
						runtime.Goexit()
					}
				}
			},
		})
		for _, job := range []string{"return", "panic", "exit"} {
			submit(t, p, job, "")
			synctest.Wait()
			if s := p.Stats(); s.Busy != 0 || s.Workers != 1 {
				t.Errorf("%+v with a job that has left, want 1 worker with nothing to do", s)
			}
		}
		if done != 3 {
			t.Errorf("%d jobs done beside those that have left, want 3", done)
		}
		p.Close()
		<-p.Done()
		for range 3 {
			gone <- ""
		}
		synctest.Wait()
	})
}
