package offload_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

func TestNoMoreRunThanWorkersAndNoMoreWaitThanQueue(t *testing.T) {
	for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
		t.Run(policy.String(), func(t *testing.T) {
			inEveryWay(t, func(t *testing.T, w way) {
				c := newCrowd(w, newPool(t, offload.Config{Workers: 3, Queue: 5, Wait: -1, Policy: policy}))
				for range 10 {
					c.call(context.Background(), sleep(time.Second))
				}
				if s := c.pool.Stats(); s.Running != 3 || s.Queued != 5 || s.Full != 2 || s.Idle != 0 {
					t.Errorf("%+v, want 3 running, 5 queued, 2 shed", s)
				}
				for range 2 {
					r := c.next(t)
					var shed *offload.ShedError
					if r.n < 8 || !errors.Is(r.err, offload.ErrFull) || !errors.As(r.err, &shed) || shed.RetryAfter != time.Second || r.after != 0 {
						t.Errorf("%+v, want calls 8 and 9 shed at once", r)
					}
				}
				c.none(t)
				time.Sleep(3 * time.Second)
				synctest.Wait()
				if s := c.pool.Stats(); s.Done != 8 || s.Answered != 8 || s.Idle != 3 || s.Running != 0 || s.Queued != 0 {
					t.Errorf("%+v, want 8 done and 3 idle", s)
				}
			})
		})
	}
}

func TestQueueOfNone(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w way) {
		p := newPool(t, offload.Config{Workers: 1, Queue: -1})
		for range 100 { // the worker is free when the call returns
			if err := w.run(context.Background(), p, sleep(0)); err != nil {
				t.Fatal(err)
			}
		}
		c := newCrowd(w, p)
		c.call(context.Background(), sleep(time.Second))
		c.call(context.Background(), sleep(time.Second))
		if r := c.next(t); r.n != 1 || !errors.Is(r.err, offload.ErrFull) {
			t.Errorf("%+v, want the second shed", r)
		}
		time.Sleep(time.Second)
	})
}

func TestFirstInFirstOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, offload.Config{Workers: 1, Wait: -1})
		var began []int
		all := []*crowd{newCrowd(ways[0], p), newCrowd(ways[1], p)}
		for n := range 100 {
			all[n%3%2].call(context.Background(), func(context.Context) error {
				began = append(began, n)
				time.Sleep(time.Millisecond)
				return nil
			})
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !slices.IsSorted(began) || len(began) != 100 {
			t.Errorf("calls have begun in the order %v", began)
		}
	})
}

func TestWaitIsBounded(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w way) {
		c := newCrowd(w, newPool(t, offload.Config{Workers: 1, Wait: 2 * time.Second}))
		c.call(context.Background(), sleep(time.Minute))
		for range 3 {
			c.call(context.Background(), sleep(0))
			time.Sleep(time.Second)
		}
		for i := range 3 {
			if r := c.next(t); r.n != 1+i || !errors.Is(r.err, offload.ErrWait) || r.after != 2*time.Second {
				t.Errorf("%+v, want call %d shed after 2 seconds", r, 1+i)
			}
			time.Sleep(time.Second)
		}
		if s := c.pool.Stats(); s.Late != 3 || s.Queued != 0 {
			t.Errorf("%+v, want 3 late", s)
		}
		time.Sleep(time.Minute)
	})
}

// A worker that becomes free at the very moment Wait has passed is too late, whichever of the two
// is scheduled first.
func TestNothingBeginsWhenWaitIsOver(t *testing.T) {
	for range 50 {
		inEveryWay(t, func(t *testing.T, w way) {
			c := newCrowd(w, newPool(t, offload.Config{Workers: 1, Wait: time.Second}))
			c.call(context.Background(), sleep(time.Second))
			c.call(context.Background(), func(context.Context) error {
				t.Error("began")
				return nil
			})
			time.Sleep(time.Second)
			synctest.Wait()
			if s := c.pool.Stats(); s.Late != 1 || s.Idle != 1 {
				t.Errorf("%+v, want one late and the worker idle", s)
			}
		})
	}
}

func TestWhoIsGoneLeavesTheQueue(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w way) {
		c := newCrowd(w, newPool(t, offload.Config{Workers: 1, Queue: 3}))
		c.call(context.Background(), sleep(time.Second))
		ctx, cancel := context.WithCancel(context.Background())
		for _, ctx := range []context.Context{context.Background(), ctx, context.Background()} {
			c.call(ctx, sleep(0))
		}
		cancel()
		if r := c.next(t); r.n != 2 || r.err != context.Canceled {
			t.Errorf("%+v, want call 2 canceled", r)
		}
		if s := c.pool.Stats(); s.Queued != 2 || s.Left != 1 {
			t.Errorf("%+v, want 2 queued, one left", s)
		}
		c.call(ctx, sleep(0)) // is not even queued
		if r := c.next(t); r.err != context.Canceled {
			t.Errorf("%+v, want it canceled", r)
		}
		c.call(context.Background(), sleep(0)) // there is room again
		time.Sleep(time.Second)
		for range 4 {
			if r := c.next(t); r.err != nil {
				t.Errorf("%+v, want no error", r)
			}
		}
	})
}

// The context ends at the very moment a worker becomes free.
func TestWhoIsGoneAsAWorkerComes(t *testing.T) {
	for range 50 {
		inEveryWay(t, func(t *testing.T, w way) {
			c := newCrowd(w, newPool(t, offload.Config{Workers: 1}))
			c.call(context.Background(), sleep(time.Second))
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			c.call(ctx, func(ctx context.Context) error { return ctx.Err() })
			c.call(context.Background(), sleep(0))
			time.Sleep(time.Second)
			for range 3 {
				if r := c.next(t); r.err != nil && (r.n != 1 || r.err != context.DeadlineExceeded) {
					t.Errorf("%+v", r)
				}
			}
			if s := c.pool.Stats(); s.Idle != 1 || s.Left+s.Abandoned+s.Answered != 3 {
				t.Errorf("%+v, want the worker idle and each call counted once", s)
			}
		})
	}
}

func TestTimeInTheQueueCountsTowardTheDeadline(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w way) {
		c := newCrowd(w, newPool(t, offload.Config{Workers: 1, Wait: -1, Timeout: 10 * time.Second}))
		untilEnd := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		c.call(context.Background(), sleep(7*time.Second))
		c.call(context.Background(), untilEnd) // has 3 seconds left
		c.call(context.Background(), untilEnd) // has none left
		time.Sleep(10 * time.Second)
		for range 3 {
			switch r := c.next(t); {
			case r.n == 0 && (r.err != nil || r.after != 7*time.Second),
				r.n == 1 && (r.err != context.DeadlineExceeded || r.after != 10*time.Second),
				r.n == 2 && (!errors.Is(r.err, offload.ErrWait) || r.after != 10*time.Second):
				t.Errorf("%+v", r)
			}
		}
	})
}

func TestDeadlineOfTheContextCountsToo(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w way) {
		c := newCrowd(w, newPool(t, offload.Config{Workers: 1, Timeout: time.Hour}))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c.call(context.Background(), sleep(900*time.Millisecond))
		c.call(ctx, func(ctx context.Context) error {
			d, _ := ctx.Deadline()
			if left := time.Until(d); left != 100*time.Millisecond {
				return fmt.Errorf("%v are left", left)
			}
			return nil
		})
		time.Sleep(time.Second)
		for range 2 {
			if r := c.next(t); r.err != nil {
				t.Errorf("%+v", r)
			}
		}
	})
}

func TestSharedQueueDoesNotWaitBehindASlowTask(t *testing.T) {
	for policy, want := range map[offload.Policy]time.Duration{
		offload.Shared:     40 * time.Millisecond, // 8 × 10 ms on the other worker, minus two
		offload.RoundRobin: 10 * time.Second,      // every other call waits for the slow one
	} {
		t.Run(policy.String(), func(t *testing.T) {
			inEveryWay(t, func(t *testing.T, w way) {
				c := newCrowd(w, newPool(t, offload.Config{Workers: 2, Wait: -1, Policy: policy}))
				c.call(context.Background(), sleep(10*time.Second))
				var worst time.Duration
				for range 4 {
					c.call(context.Background(), sleep(10*time.Millisecond))
				}
				time.Sleep(20 * time.Second)
				for range 5 {
					if r := c.next(t); r.n != 0 {
						worst = max(worst, r.after)
					}
				}
				if worst < want || worst > want+50*time.Millisecond {
					t.Errorf("a light task took %v, want %v", worst, want)
				}
			})
		})
	}
}

// For 12 seconds, twice the possible load arrives: every 5 ms a task of 20 ms for 2 workers.
func TestOverload(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w way) {
		const service, wait = 20 * time.Millisecond, 500 * time.Millisecond
		c := newCrowd(w, newPool(t, offload.Config{Workers: 2, Queue: 40, Wait: wait}))
		for range 2_400 {
			c.call(context.Background(), sleep(service))
			time.Sleep(5 * time.Millisecond)
			for len(c.results) > 0 {
				switch r := <-c.results; {
				case r.err == nil && r.after > wait+service:
					t.Fatalf("%+v was admitted and took more than %v", r, wait+service)
				case errors.Is(r.err, offload.ErrFull) && r.after != 0:
					t.Fatalf("%+v was not shed at once", r)
				case r.err != nil && !errors.Is(r.err, offload.ErrFull):
					t.Fatalf("%+v", r)
				}
			}
		}
		time.Sleep(time.Second)
		if s := c.pool.Stats(); s.Done < 1_190 || s.Full < 1_100 || s.Late != 0 {
			t.Errorf("%+v, want about half of 2,400 done and the rest shed because the queue was full", s)
		}
	})
}
