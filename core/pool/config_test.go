package pool_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/pool"
)

func TestConfigErrorsNameFieldAndValue(t *testing.T) {
	work := func(int) {}
	for _, test := range []struct {
		c    pool.Config[int]
		want []string
	}{
		{pool.Config[int]{}, []string{"Work", "New"}},
		{pool.Config[int]{Work: work, New: func(*pool.Control) func(int) { return work }}, []string{"Work", "New"}},
		{pool.Config[int]{Work: work, Max: -3}, []string{"Max", "-3"}},
		{pool.Config[int]{Work: work, Queue: -4}, []string{"Queue", "-4"}},
		{pool.Config[int]{Work: work, IdleTime: -5 * time.Second}, []string{"IdleTime", "-5s"}},
		{pool.Config[int]{Work: work, Max: 6, Standby: 7}, []string{"Max", "6", "Standby", "7"}},
	} {
		p, err := pool.New(test.c)
		if err == nil {
			t.Errorf("no error, want one about %q", test.want)
			p.Close()
			continue
		}
		for _, part := range append(test.want, "pool: ") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("error is %q, want %q in it", err, part)
			}
		}
	}
}

func TestZeroConfigMeansOneWorkerPerProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		p := newPool(t, pool.Config[int]{Work: func(int) { <-end }})
		n := runtime.GOMAXPROCS(0)
		submit(t, p, make([]int, 10*n)...)
		synctest.Wait()
		if s := p.Stats(); s.Busy != n || s.Queued != 9*n {
			t.Errorf("%d workers are busy and %d jobs wait, want %d and %d", s.Busy, s.Queued, n, 9*n)
		}
		close(end)
		time.Sleep(time.Hour)
		if s := p.Stats(); s.Workers != n || s.Idle != n {
			t.Errorf("%d workers, %d of them idle, want all %d kept", s.Workers, s.Idle, n)
		}
	})
}
