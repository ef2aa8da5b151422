package offload_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

func TestDoReturnsWhatTheTaskReturns(t *testing.T) {
	p := newPool(t, offload.Config{})
	want := errors.New("an error")
	n, err := offload.Do(context.Background(), p, func(context.Context) (int, error) { return 42, want })
	if n != 42 || err != want {
		t.Errorf("%d, %v", n, err)
	}
}

func TestPanicReachesTheCaller(t *testing.T) {
	p := newPool(t, offload.Config{Workers: 1})
	cause := errors.New("the cause")
	for _, v := range []any{"a string", cause, http.ErrAbortHandler, []int{1}} {
		got := func() (got any) {
			defer func() { got = recover() }()
			offload.Do(context.Background(), p, func(context.Context) (int, error) { panicWith(v); return 0, nil })
			return nil
		}()
		if v == any(http.ErrAbortHandler) {
			if got != v {
				t.Errorf("panic with %v, want http.ErrAbortHandler itself, which servers compare with", got)
			}
			continue
		}
		p, ok := got.(*offload.Panic)
		if !ok || fmt.Sprint(p.Value) != fmt.Sprint(v) || !strings.Contains(p.Error(), "panicWith") {
			t.Errorf("panic with %v, want a Panic with %v and its stack", got, v)
		}
		if v == any(cause) && !errors.Is(p, cause) {
			t.Errorf("%v does not wrap its value", p)
		}
	}
	if s := p.Stats(); s.Done != 4 || s.Idle != 1 {
		t.Errorf("%+v, want 4 done and the worker idle", s)
	}
}

func panicWith(v any) { panic(v) }

func TestGoexitReachesTheCaller(t *testing.T) {
	p := newPool(t, offload.Config{Workers: 1})
	for range 3 {
		returned, ended := false, make(chan struct{})
		go func() {
			defer close(ended)
			offload.Do(context.Background(), p, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
			returned = true
		}()
		<-ended
		if returned {
			t.Error("Do has returned, want its goroutine ended")
		}
	}
	if err := ways[0].run(context.Background(), p, sleep(0)); err != nil {
		t.Error(err)
	}
}

func TestAbandonedTaskKeepsItsWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panics := make(chan any, 1)
		c := newCrowd(ways[0], newPool(t, offload.Config{Workers: 1, Queue: 1, Wait: -1, Panic: func(v any, stack []byte) {
			if !strings.Contains(string(stack), "panicWith") {
				t.Errorf("the stack is %s", stack)
			}
			panics <- v
		}}))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c.call(ctx, func(context.Context) error { time.Sleep(time.Minute); panicWith("late"); return nil })
		c.call(context.Background(), sleep(0))
		time.Sleep(time.Second)
		if r := c.next(t); r.n != 0 || r.err != context.DeadlineExceeded || r.after != time.Second {
			t.Errorf("%+v, want the first call back after a second", r)
		}
		c.none(t)
		if s := c.pool.Stats(); s.Abandoned != 1 || s.Running != 1 || s.Queued != 1 || s.Done != 0 {
			t.Errorf("%+v, want one abandoned, running and one queued", s)
		}
		time.Sleep(time.Minute)
		if r := c.next(t); r.n != 1 || r.err != nil {
			t.Errorf("%+v", r)
		}
		if s := c.pool.Stats(); s.Abandoned != 1 || s.Answered != 1 || s.Done != 2 || s.Idle != 1 {
			t.Errorf("%+v, want one abandoned, 2 done", s)
		}
		if v := <-panics; v != "late" {
			t.Errorf("panic %v was reported", v)
		}
	})
}

// A task returns at the moment its caller's context ends: its result goes to that caller or to
// nobody.
func TestResultsGoToTheirCallerOrToNobody(t *testing.T) {
	for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
		t.Run(policy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const tick = time.Millisecond
				p := newPool(t, offload.Config{Workers: 4, Queue: 1000, Wait: -1, Policy: policy})
				var mu sync.Mutex
				got := map[string]int{}
				var callers sync.WaitGroup
				for n := range 5000 {
					callers.Go(func() {
						time.Sleep(time.Duration(n/8) * tick)
						ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+rand.IntN(4))*tick)
						defer cancel()
						answer, err := offload.Do(ctx, p, func(context.Context) (int, error) {
							time.Sleep(time.Duration(rand.IntN(5)) * tick)
							return n, nil
						})
						switch {
						case err == nil && answer != n:
							t.Errorf("call %d got the answer to %d", n, answer)
						case err != nil && (err != context.DeadlineExceeded || answer != 0):
							t.Errorf("call %d got %d and %v", n, answer, err)
						}
						mu.Lock()
						got[fmt.Sprint(err)]++
						mu.Unlock()
					})
				}
				callers.Wait()
				time.Sleep(time.Second)
				s := p.Stats()
				if s.Answered+s.Abandoned+s.Left != 5000 || s.Running != 0 || s.Done != s.Answered+s.Abandoned {
					t.Errorf("%+v, want each of 5000 counted once", s)
				}
				if s.Answered == 0 || s.Abandoned == 0 || s.Left == 0 {
					t.Errorf("%+v: this test has not driven the race", s)
				}
				if got["<nil>"] != int(s.Answered) {
					t.Errorf("%v were answered, %+v", got, s)
				}
			})
		})
	}
}

// This is the same in real time, where the scheduler decides.
func TestResultsGoToTheirCallerOrToNobodyInRealTime(t *testing.T) {
	p := newPool(t, offload.Config{Workers: 4, Queue: 1000, Wait: -1})
	var callers sync.WaitGroup
	for caller := range 32 {
		callers.Go(func() {
			for i := range 300 {
				n := caller*1000 + i
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(200))*time.Microsecond)
				answer, err := offload.Do(ctx, p, func(context.Context) (int, error) {
					time.Sleep(time.Duration(rand.IntN(100)) * time.Microsecond)
					return n, nil
				})
				cancel()
				if err == nil && answer != n || err != nil && err != context.DeadlineExceeded {
					t.Errorf("call %d: %d, %v", n, answer, err)
				}
			}
		})
	}
	callers.Wait()
	if err := p.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if s := p.Stats(); s.Answered+s.Abandoned+s.Left != 32*300 || s.Done != s.Answered+s.Abandoned {
		t.Errorf("%+v, want each of %d counted once", s, 32*300)
	}
}
