package offload_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

func ended(p interface{ Done() <-chan struct{} }) bool {
	synctest.Wait()
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

func TestShutdownServesWhoWaits(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w way) {
		c := newCrowd(w, newPool(t, offload.Config{Workers: 2, Wait: -1}))
		for range 6 {
			c.call(context.Background(), sleep(time.Second))
		}
		stopped := make(chan error, 2)
		for range 2 {
			go func() { stopped <- c.pool.Shutdown(context.Background()) }()
		}
		synctest.Wait()
		c.call(context.Background(), sleep(0))
		if r := c.next(t); r.n != 6 || !errors.Is(r.err, offload.ErrClosed) || r.after != 0 {
			t.Errorf("%+v, want it shed", r)
		}
		time.Sleep(3*time.Second - time.Nanosecond)
		if ended(c.pool) || len(stopped) > 0 {
			t.Error("Shutdown did not wait")
		}
		time.Sleep(time.Nanosecond)
		if !ended(c.pool) {
			t.Error("not done")
		}
		if err := errors.Join(<-stopped, <-stopped); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		for range 6 {
			if r := c.next(t); r.err != nil {
				t.Errorf("%+v", r)
			}
		}
		c.pool.Close()
	})
}

func TestShutdownSaysWhatIsLeft(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w way) {
		c := newCrowd(w, newPool(t, offload.Config{Workers: 2, Wait: -1}))
		for range 6 {
			c.call(context.Background(), sleep(10*time.Second))
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := c.pool.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "4 calls queued, 2 tasks running") {
			t.Errorf("Shutdown: %v", err)
		}
		time.Sleep(time.Minute)
		if err := c.pool.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown when all is done: %v, want nil although ctx has ended", err)
		}
	})
}

func TestCloseShedsWhoWaits(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w way) {
		c := newCrowd(w, newPool(t, offload.Config{Workers: 1}))
		c.call(context.Background(), func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
				return nil
			}
		})
		for range 3 {
			c.call(context.Background(), sleep(time.Minute))
		}
		c.pool.Close()
		results := map[int]error{}
		for range 3 {
			r := c.next(t)
			results[r.n] = r.err
		}
		if w.name == "Do" { // the task's context has ended, so its caller returns
			r := c.next(t)
			results[r.n] = r.err
			if !ended(c.pool) {
				t.Error("not done although the task heeds its context")
			}
		} else {
			if ended(c.pool) {
				t.Error("done although a handler runs")
			}
			time.Sleep(time.Second)
			if r := c.next(t); r.n != 0 || r.err != nil {
				t.Errorf("%+v", r)
			}
		}
		for n, err := range results {
			var shed *offload.ShedError
			if n == 0 && err == context.Canceled {
				continue // the task returned before its caller did
			}
			if !errors.Is(err, offload.ErrClosed) || !errors.As(err, &shed) {
				t.Errorf("call %d: %v, want ErrClosed", n, err)
			}
		}
		if s := c.pool.Stats(); s.Closed != 3 {
			t.Errorf("%+v, want 3 shed", s)
		}
		c.pool.Close()
	})
}

func TestShutdownOfAPoolThatNeverWorked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, offload.Config{})
		for range 2 {
			if err := p.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
}
