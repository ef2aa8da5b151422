package tasks

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

func TestClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := func(context.Context) error {
			time.Sleep(10 * time.Millisecond)
			return nil
		}
		r := closedLoop(t.Context(), slices.Repeat([]request{client}, 3), 12)
		if r.total() != 12 || r.served.TotalCount() != 12 || r.elapsed != 40*time.Millisecond {
			t.Errorf("%d requests took %v, want 12 and 40ms", r.total(), r.elapsed)
		}
	})
}

// The client tries again one second after it was shed, and at once after a failure. When nothing is
// left to send, it does not wait.
func TestShedClientsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		client := func(context.Context) error {
			time.Sleep(time.Millisecond)
			if n := calls.Add(1); n == 1 {
				return &offload.ShedError{Reason: offload.ErrFull, RetryAfter: time.Second}
			} else if n == 2 {
				return errors.New("no")
			}
			return &offload.ShedError{Reason: offload.ErrFull, RetryAfter: time.Hour}
		}
		r := closedLoop(t.Context(), []request{client}, 3)
		if r.shed.TotalCount() != 2 || r.failed != 1 || r.served.TotalCount() != 0 || r.errors[0] != "no" {
			t.Errorf("%d shed, %d failed: %q", r.shed.TotalCount(), r.failed, r.errors)
		}
		if want := time.Second + 3*time.Millisecond; r.elapsed != want {
			t.Errorf("took %v, want %v", r.elapsed, want)
		}
	})
}

func TestContextEndsALoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		client := func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(40 * time.Second):
				return nil
			}
		}
		if r := closedLoop(ctx, []request{client}, 100); r.total() != 1 || r.failed != 0 || r.elapsed != time.Minute {
			t.Errorf("%d requests, %d failed, in %v; want one in a minute", r.total(), r.failed, r.elapsed)
		}
		if r := pace(ctx, []request{client}, time.Second, time.Hour); r.total() != 0 || r.elapsed != 0 {
			t.Errorf("%d requests in %v after the end, want none", r.total(), r.elapsed)
		}
	})
}

// The first request takes so long that the two after it are late. Their latency counts from when
// they were due.
func TestPaceCountsFromWhenRequestsAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		client := func(context.Context) error {
			if first {
				first = false
				time.Sleep(25 * time.Millisecond)
			}
			return nil
		}
		r := pace(t.Context(), []request{client}, 10*time.Millisecond, 50*time.Millisecond)
		var got []int64
		for _, b := range r.served.Distribution() {
			for range b.Count {
				got = append(got, (b.From+500)/1000) // a histogram rounds values
			}
		}
		if want := []int64{0, 0, 5, 15, 25}; !slices.Equal(got, want) {
			t.Errorf("latencies are %v ms, want %v", got, want)
		}
	})
}

func TestRequestsThatAreFarTooLateFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := func(context.Context) error {
			time.Sleep(patience)
			return nil
		}
		r := pace(t.Context(), []request{client}, time.Second, 10*time.Second)
		if r.total() != 10 || r.served.TotalCount() != 2 || r.failed != 8 || r.elapsed != 2*patience {
			t.Errorf("%d requests, %d failed, in %v; want 10, 8 and %v", r.total(), r.failed, r.elapsed, 2*patience)
		}
	})
}

func TestAnswers(t *testing.T) {
	var status int
	var after string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.WriteHeader(status)
		io.WriteString(w, "text")
	}))
	defer s.Close()
	for _, c := range []struct {
		status int
		after  string
		ok     bool
		shed   time.Duration
	}{
		{200, "", true, 0},
		{503, "7", false, 7 * time.Second},
		{503, "", false, 0},
		{503, "-1", false, 0},
		{500, "7", false, 0},
	} {
		status, after = c.status, c.after
		err := get(t.Context(), s.Client(), s.URL)
		var shed *offload.ShedError
		if errors.As(err, &shed) != (c.shed > 0) || (err == nil) != c.ok || shed != nil && shed.RetryAfter != c.shed {
			t.Errorf("%d with Retry-After %q: error is %v", c.status, c.after, err)
		}
	}
}

func TestIdeal(t *testing.T) {
	for _, c := range []struct {
		scenario     string
		bound, cores int
		rate         float64
		count        int // per second, with 4 workers
	}{
		{"baseline_10ms", 4, 2, 100, 100},
		{"throughput_10ms", 4, 2, 400, 400},
		{"throughput_10ms", 100, 2, 10_000, 5000},
		{"cpu_bound_100ms", 4, 2, 20, 20},
		{"cpu_bound_100ms", 4, 8, 40, 40},
		{"io_bound_500ms", 4, 2, 8, 8},
		{"mixed_50_50", 4, 2, 40, 40},
		{"mixed_50_50", 4, 1, 20, 20},
		{"overload_10ms", 4, 2, 400, 800},
	} {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == c.scenario })
		s := scenarios[i]
		rate := s.ideal(c.bound, c.cores)
		if n := s.count(rate, time.Second, 4); rate != c.rate || n != c.count {
			t.Errorf("%s with %d at a time on %d processors: %v per second, %d requests; want %v, %d", c.scenario, c.bound, c.cores, rate, n, c.rate, c.count)
		}
	}
}
