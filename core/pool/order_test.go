package pool_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/pool"
)

func TestFirstInFirstOut(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 70} {
		synctest.Test(t, func(t *testing.T) {
			h, p := newHeld(t, pool.Config[int]{Max: workers})
			const jobs = 5*pool.ClaimBatchSize + 3
			submit(t, p, numbers(0, jobs)...)
			h.expect(t, numbers(0, workers)...)
			for i := workers; i < jobs; i++ {
				h.letGo(1)
				h.expect(t, i)
			}
			h.letGo(workers)
			shutdown(t, p)
		})
	}
}

func TestJobNeverWaitsWhileAWorkerIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeld(t, pool.Config[int]{Max: 4})
		submit(t, p, 0, 1, 2)
		h.expect(t, 0, 1, 2)
		submit(t, p, 3, 4, 5)
		h.expect(t, 3)
		h.letGo(4) // two of them continue with 4 and 5
		h.expect(t, 4, 5)
		submit(t, p, 6, 7, 8)
		h.expect(t, 6, 7)
		h.letGo(5)
		shutdown(t, p)
	})
}

func TestJobNeverWaitsBehindASlowOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeld(t, pool.Config[int]{Max: 2})
		submit(t, p, numbers(0, 50)...)
		h.expect(t, 0, 1)
		// Whichever worker has filled the front, one of its jobs is slow now: the other worker
		// runs the rest.
		for i := 2; i < 50; i++ {
			h.letGo(1)
			h.expect(t, i)
		}
		h.letGo(2)
		shutdown(t, p)
	})
}

// TestJobsTakeAsLongAsTheyMust runs 800 jobs of 1 ms on 8 workers, none of which may ever be idle.
func TestJobsTakeAsLongAsTheyMust(t *testing.T) {
	for _, queue := range []int{0, 1, 8, 100} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(t, pool.Config[time.Duration]{Work: time.Sleep, Max: 8, Queue: queue})
			begin := time.Now()
			for range 800 {
				if err := p.Submit(t.Context(), time.Millisecond); err != nil {
					t.Fatalf("Submit: %v", err)
				}
			}
			shutdown(t, p)
			if took := time.Since(begin); took != 100*time.Millisecond {
				t.Errorf("with Queue %d it took %v, want 100 ms", queue, took)
			}
		})
	}
}

// TestEachSubmitterIsServedInOrder runs one worker and several submitters at full speed.
func TestEachSubmitterIsServedInOrder(t *testing.T) {
	const submitters, each = 8, 2000
	type job struct{ submitter, i int }
	var next [submitters]int
	p := newPool(t, pool.Config[job]{Max: 1, Queue: 100, Work: func(j job) {
		if j.i != next[j.submitter] {
			t.Errorf("job %d of submitter %d has begun, want %d", j.i, j.submitter, next[j.submitter])
		}
		next[j.submitter] = j.i + 1
	}})
	var wg sync.WaitGroup
	for s := range submitters {
		wg.Go(func() {
			for i := 0; i < each; {
				if s%2 == 0 {
					p.Submit(t.Context(), job{s, i})
					i++
					continue
				}
				batch := make([]job, min(1+i%150, each-i))
				for k := range batch {
					batch[k] = job{s, i + k}
				}
				p.Push(batch...)
				i += len(batch)
			}
		})
	}
	wg.Wait()
	shutdown(t, p)
	for s, n := range next {
		if n != each {
			t.Errorf("%d jobs of submitter %d have begun, want %d", n, s, each)
		}
	}
}

func TestSubmitWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeld(t, pool.Config[int]{Max: 2, Queue: 3})
		submit(t, p, numbers(0, 5)...) // two are at work, three wait
		if err := p.TrySubmit(99); err != pool.ErrFull {
			t.Fatalf("TrySubmit to a full queue: %v, want ErrFull", err)
		}
		admitted := make(chan int, 10)
		for i := range 4 {
			go func() {
				if err := p.Submit(context.Background(), 5+i); err != nil {
					t.Errorf("Submit: %v", err)
				}
				admitted <- 5 + i
			}()
			synctest.Wait()
		}
		if s := p.Stats(); s.Waiting != 4 || len(admitted) != 0 {
			t.Fatalf("%d Submits wait and %d do not, want 4 and 0", s.Waiting, len(admitted))
		}
		h.expect(t, 0, 1)
		for i := range 4 {
			h.letGo(1)
			h.expect(t, 2+i)
			if len(admitted) != 1 {
				t.Fatalf("%d Submits were admitted when one job ended, want one", len(admitted))
			}
			if got := <-admitted; got != 5+i {
				t.Errorf("Submit of job %d was admitted, want the oldest, of job %d", got, 5+i)
			}
		}
		h.letGo(5)
		h.expect(t, 6, 7, 8)
		shutdown(t, p)
	})
}

func TestRoomForManyAdmitsMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeld(t, pool.Config[int]{Max: 8, Queue: 8})
		submit(t, p, numbers(0, 16)...)
		for i := range 20 {
			go p.Submit(t.Context(), 16+i)
		}
		h.expect(t, numbers(0, 8)...)
		h.letGo(7) // all at once: for most of them, an admitted waiter is still being woken
		if s := p.Stats(); s.Waiting != 13 || s.Queued != 8 {
			t.Errorf("%d Submits wait and %d jobs are queued, want 13 and 8", s.Waiting, s.Queued)
		}
		h.letGo(29)
		shutdown(t, p)
	})
}

func TestRoomIsForJobsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeld(t, pool.Config[int]{Max: 8, Queue: 1})
		// There is no scheduling in between: a worker is being woken for eight of them.
		submit(t, p, numbers(0, 9)...)
		if err := p.TrySubmit(9); err != pool.ErrFull {
			t.Fatalf("TrySubmit of a second job that would wait: %v, want ErrFull", err)
		}
		h.expect(t, numbers(0, 8)...)
		h.letGo(9)
		shutdown(t, p)
	})
}

func TestSubmitObeysContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, p := newHeld(t, pool.Config[int]{Max: 1, Queue: 1})
		ctx, cancel := context.WithCancel(t.Context())
		submit(t, p, 0, 1)
		gave := make(chan error)
		go func() { gave <- p.Submit(ctx, 2) }()
		go p.Submit(t.Context(), 3)
		synctest.Wait()
		cancel()
		if err := <-gave; err != context.Canceled {
			t.Errorf("Submit: %v, want ctx's error", err)
		}
		if err := p.Submit(ctx, 4); err != context.Canceled {
			t.Errorf("Submit to a full queue when ctx has ended: %v, want ctx's error", err)
		}
		h.letGo(3)
		h.expect(t, 0, 1, 3)
		if err := p.Submit(ctx, 5); err != nil {
			t.Errorf("Submit when there is room: %v, whatever became of ctx", err)
		}
		h.expect(t, 5)
		h.letGo(1)
		shutdown(t, p)
	})
}
