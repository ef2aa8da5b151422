package offload_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

var errOfTask = errors.New("error of the task")

// A tally counts calls by what their callers got.
type tally struct {
	answered, ended, full, late, closed atomic.Uint64
	ran                                 atomic.Uint64 // tasks that have begun
}

// count counts a call: err is what it returned, nil also if it panicked or ended its goroutine.
func (y *tally) count(t *testing.T, err error) {
	switch {
	case err == nil, errors.Is(err, errOfTask):
		y.answered.Add(1)
	case errors.Is(err, offload.ErrFull):
		y.full.Add(1)
	case errors.Is(err, offload.ErrWait):
		y.late.Add(1)
	case errors.Is(err, offload.ErrClosed):
		y.closed.Add(1)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		y.ended.Add(1)
	default:
		t.Errorf("a call returns %v", err)
	}
}

// check compares y with the counters of a pool in which nothing runs and nothing waits.
func (y *tally) check(t *testing.T, s offload.Stats) {
	t.Helper()
	// Of the abandoned calls, Close has ended some.
	byClose := y.closed.Load() - s.Closed
	if s.Answered != y.answered.Load() || s.Full != y.full.Load() || s.Late != y.late.Load() || s.Closed > y.closed.Load() ||
		s.Left+s.Abandoned != y.ended.Load()+byClose || byClose > s.Abandoned {
		t.Errorf("%+v, but the callers got %d answers, %d ends of their contexts, ErrFull %d times, ErrWait %d, ErrClosed %d",
			s, y.answered.Load(), y.ended.Load(), y.full.Load(), y.late.Load(), y.closed.Load())
	}
	if s.Done != s.Answered+s.Abandoned || s.Done != y.ran.Load() {
		t.Errorf("%+v, but %d tasks have begun", s, y.ran.Load())
	}
	if s.Queued != 0 || s.Running != 0 || s.Restarting != 0 {
		t.Errorf("%+v after everything", s)
	}
}

// callers makes calls with run, which calls the task when it has a worker, in every way in which a
// call can end.
func callers(t *testing.T, y *tally, run func(context.Context, func(context.Context) error) error) *sync.WaitGroup {
	const clients, calls = 20, 50
	all := &sync.WaitGroup{}
	for i := range clients {
		random := rand.New(rand.NewPCG(uint64(i), rand.Uint64()))
		all.Go(func() {
			for range calls {
				ctx, cancel := context.WithCancel(context.Background())
				if random.IntN(3) == 0 {
					ctx, cancel = context.WithTimeout(context.Background(), time.Duration(random.IntN(4))*time.Millisecond)
				}
				// Not zero, nor half of it: a timer of no time may crash the race detector in a bubble,
				// before Go 1.27.
				takes, how := max(time.Duration(random.IntN(4))*time.Millisecond, 2), random.IntN(8)
				if how == 0 {
					time.AfterFunc(takes/2, cancel)
				}
				ended := make(chan struct{})
				go func() { // a task may end it
					var err error
					defer func() {
						recover()
						y.count(t, err)
						close(ended)
					}()
					err = run(ctx, func(ctx context.Context) error {
						y.ran.Add(1)
						if how%2 == 0 {
							time.Sleep(takes)
						} else {
							select {
							case <-ctx.Done():
							case <-time.After(takes):
							}
						}
						switch how {
						case 1:
							panic("panic of the task")
						case 2:
							runtime.Goexit()
						case 3:
							return errOfTask
						}
						return nil
					})
				}()
				<-ended
				cancel()
				time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
			}
		})
	}
	return all
}

// Every call is counted once, as what its caller got, also while the pool changes and stops. Many
// things happen at the same time here, since all times are whole milliseconds.
func TestEveryCallIsCountedOnceAsWhatItGot(t *testing.T) {
	for name, stop := range map[string]func(*offload.Pool){
		"Shutdown": func(p *offload.Pool) { p.Shutdown(context.Background()) },
		"Close":    (*offload.Pool).Close,
	} {
		for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
			for _, c := range []offload.Config{
				{Queue: 5, Wait: 2 * time.Millisecond, Timeout: 3 * time.Millisecond},
				{Queue: -1},
				{Queue: 100, Wait: -1, Timeout: 2 * time.Millisecond},
			} {
				t.Run(name+","+policy.String(), func(t *testing.T) {
					c.Workers, c.MaxWorkers, c.Policy, c.Slots = 3, 8, policy, offload.Slots{"GPU": 2}
					c.Panic = func(any, []byte) {}
					inEveryWay(t, func(t *testing.T, w way) {
						p := newPool(t, c)
						gpu, err := p.With(offload.Slots{"GPU": 1})
						if err != nil {
							t.Fatal(err)
						}
						var y tally
						var n atomic.Int32
						all := callers(t, &y, func(ctx context.Context, task func(context.Context) error) error {
							if n.Add(1)%2 == 0 {
								return w.run(ctx, gpu, task)
							}
							return w.run(ctx, p, task)
						})
						for _, by := range []int{3, -4, 2, -1, 1} {
							time.Sleep(10 * time.Millisecond)
							p.Resize(by)
						}
						time.Sleep(10 * time.Millisecond)
						stop(p)
						all.Wait()
						<-p.Done()
						y.check(t, p.Stats())
					})
				})
			}
		}
	}
}

// Timeout passes, or the pool is closed, between the moment at which a call gets its worker and the
// begin of its task.
func TestCallThatIsLateForItsWorkerCountsAsLate(t *testing.T) {
	for _, w := range ways {
		var y tally
		p := newPool(t, offload.Config{Workers: 1, Timeout: 1})
		for range 100 {
			y.count(t, w.run(context.Background(), p, func(context.Context) error { y.ran.Add(1); return nil }))
		}
		until(t, p, "an idle worker", func(s offload.Stats) bool { return s.Idle == 1 })
		y.check(t, p.Stats())
		if y.late.Load() == 0 {
			t.Errorf("%s: no call is late", w.name)
		}
	}
}

// The same with resources that fail, wear out and are replaced.
func TestEveryUseIsCountedOnce(t *testing.T) {
	for _, closeFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, r := newShopOf(t, offload.ResourceConfig[*handle]{
				Config:   offload.Config{Workers: 3, Queue: 5, Wait: 2 * time.Millisecond, Timeout: 3 * time.Millisecond, Panic: func(any, []byte) {}},
				MaxTasks: 10, MaxAge: 5 * time.Millisecond, Backoff: time.Millisecond, CloseFirst: closeFirst,
			})
			var y tally
			all := callers(t, &y, func(ctx context.Context, task func(context.Context) error) error {
				_, err := use(ctx, r, func(ctx context.Context, _ *handle) error { return task(ctx) })
				return err
			})
			for range 3 {
				time.Sleep(10 * time.Millisecond)
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
				r.Restart(ctx)
				cancel()
			}
			r.Close()
			all.Wait()
			<-r.Done()
			st := r.Stats()
			y.check(t, st)
			// Each one was closed because it had failed, was replaced, or the pool was closed.
			if int(st.Opened) != len(s.closedSoFar()) || st.Failed+st.Replaced > st.Opened {
				t.Errorf("%+v, %d closed", st, len(s.closedSoFar()))
			}
		})
	}
}
