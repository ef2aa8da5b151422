package offload_test

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

// A function of the configuration that ends its goroutine costs no resource and no worker.
func TestHooksMayEndTheirGoroutine(t *testing.T) {
	for _, closeFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var exits atomic.Bool
			exit := func() {
				if exits.Load() {
					runtime.Goexit()
				}
			}
			var opened, closed atomic.Int32
			r, err := offload.NewResources(context.Background(), offload.ResourceConfig[int32]{
				Config:     offload.Config{Workers: 2, Event: func(offload.Event) { exit() }},
				Open:       func(context.Context, func(error)) (int32, error) { return opened.Add(1), nil },
				Close:      func(int32) error { closed.Add(1); return errors.New("close") },
				Failed:     func(error) { exit() },
				CloseFirst: closeFirst,
			})
			if err != nil {
				t.Fatal(err)
			}
			task := func(result error) {
				go offload.Use(context.Background(), r, func(context.Context, int32) (int, error) { return 0, result })
				synctest.Wait()
			}
			exits.Store(true)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			r.Restart(ctx) // which fails, since no resource can be reported
			task(offload.ErrBroken)
			exits.Store(false)
			time.Sleep(time.Minute)
			task(nil)
			if st := r.Stats(); st.Idle != 2 || st.Restarting != 0 {
				t.Errorf("CloseFirst=%t: %+v, want two idle workers", closeFirst, st)
			}
			ctx, cancel = context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			if err := r.Shutdown(ctx); err != nil {
				t.Fatal(err)
			}
			if opened.Load() != closed.Load() {
				t.Errorf("CloseFirst=%t: %d resources were opened, and %d closed", closeFirst, opened.Load(), closed.Load())
			}
		})
	}
}

// abandonPanic runs a task that panics when its caller has left.
func abandonPanic(t *testing.T, p *offload.Pool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := offload.Do(ctx, p, func(context.Context) (int, error) {
		time.Sleep(2 * time.Second)
		panic("abandoned")
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	time.Sleep(2 * time.Second)
}

// The worker counts as busy until Panic has returned: no call is promised to it before.
func TestPanicHoldsTheWorkerOfItsTask(t *testing.T) {
	for _, exit := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(t, offload.Config{Workers: 1, Wait: time.Second, Panic: func(any, []byte) {
				time.Sleep(time.Minute)
				if exit {
					runtime.Goexit()
				}
			}})
			call := func() error {
				_, err := offload.Do(context.Background(), p, func(context.Context) (int, error) { return 0, nil })
				return err
			}
			abandonPanic(t, p)
			start := time.Now()
			if err := call(); !errors.Is(err, offload.ErrWait) || time.Since(start) != time.Second {
				t.Errorf("%v after %v while Panic runs, want ErrWait after 1s", err, time.Since(start))
			}
			if st := p.Stats(); st.Running != 1 || st.Done != 0 {
				t.Errorf("%+v while Panic runs", st)
			}
			time.Sleep(time.Minute)
			if err := call(); err != nil {
				t.Error(err)
			}
			if st := p.Stats(); st.Running != 0 || st.Done != 2 {
				t.Errorf("%+v after Panic has returned", st)
			}
		})
	}
}

func TestPanicOfPanicEndsNothing(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		p := newPool(t, offload.Config{Workers: 1, Panic: func(any, []byte) {
			asked.Add(1)
			panic("in Panic")
		}})
		abandonPanic(t, p)
		if asked.Load() != 1 {
			t.Errorf("Panic was called %d times", asked.Load())
		}
	})
}
