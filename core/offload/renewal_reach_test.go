package offload_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

// restartTakes calls Restart, and fails the test if it does not take as long as wanted.
func restartTakes(t *testing.T, r interface {
	Restart(context.Context) error
}, want time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	start := time.Now()
	if err := r.Restart(ctx); err != nil || time.Since(start) != want {
		t.Errorf("Restart returns %v after %v, want %v", err, time.Since(start), want)
	}
}

// A resource that has failed while its task runs is replaced when the task returns.
func TestRestartWaitsForWhatHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newShop(t, offload.Config{Workers: 1})
		go use(context.Background(), r, func(_ context.Context, h *handle) error {
			h.failed(errors.New("during its task"))
			time.Sleep(time.Minute)
			return nil
		})
		synctest.Wait()
		restartTakes(t, r, time.Minute)
		if got := s.openedSoFar(); got != 2 {
			t.Errorf("%d were opened, want 2", got)
		}
	})
}

// The attempt that is under way when Restart is called fails; the next one does not.
func TestRestartWaitsForTheAttemptThatSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		r, err := offload.NewResources(context.Background(), offload.ResourceConfig[int]{
			Config: offload.Config{Workers: 1}, Backoff: time.Second, Failed: func(error) {},
			Open: func(context.Context, func(error)) (int, error) {
				attempts++
				time.Sleep(10 * time.Second)
				if attempts == 2 {
					return 0, errors.New("not this time")
				}
				return attempts, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { r.Close(); <-r.Done() }()
		offload.Use(context.Background(), r, func(context.Context, int) (int, error) { return 0, offload.ErrBroken })
		time.Sleep(2 * time.Second) // until the attempt is under way
		restartTakes(t, r, (9+2+10)*time.Second)
		if st := r.Stats(); st.Idle != 1 || attempts != 3 {
			t.Errorf("%+v after %d attempts", st, attempts)
		}
	})
}

// A worker was to end, but stays after all.
func TestRestartReplacesWhatStaysAfterAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r := newShop(t, offload.Config{Workers: 2})
		for range 2 {
			go use(context.Background(), r, func(context.Context, *handle) error { time.Sleep(time.Minute); return nil })
		}
		synctest.Wait()
		resize(t, r, -1, 1)
		go func() {
			time.Sleep(time.Second)
			resize(t, r, 1, 2)
		}()
		restartTakes(t, r, time.Minute)
		if got := used(t, r, 2); got[0] < 2 {
			t.Errorf("used are %v, want none from before Restart", got)
		}
	})
}

// A worker that ends need not be replaced.
func TestRestartWaitsForWorkersToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r := newShop(t, offload.Config{Workers: 2})
		for i := range 2 {
			go use(context.Background(), r, func(context.Context, *handle) error { time.Sleep(time.Duration(i+1) * time.Minute); return nil })
			synctest.Wait()
		}
		resize(t, r, -1, 1)
		restartTakes(t, r, 2*time.Minute)
		if st := r.Stats(); st.Replaced != 1 || st.Workers != 1 || st.Idle != 1 {
			t.Errorf("%+v", st)
		}
	})
}
