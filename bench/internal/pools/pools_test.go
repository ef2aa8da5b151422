package pools

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/bench/internal/record"
)

func TestEveryContestantIsMeasuredInEachRound(t *testing.T) {
	c := Config{Jobs: jobNames(), Workers: []int{1, 3}, Producers: []int{2}, Rounds: 2, Time: time.Millisecond}
	r := record.New(nil)
	if err := Run(t.Context(), c, nil, r); err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); err != nil {
		t.Error(err)
	}
	table := r.Tables[0]
	if want := len(c.Jobs) * 2 * len(contestants); len(table.Rows) != want {
		t.Errorf("%d rows, want %d", len(table.Rows), want)
	}
	for _, row := range table.Rows {
		for _, column := range table.Columns {
			want := c.Rounds
			if column.Name == ofIdeal && row.Key[0] == empty {
				want = 0
			}
			if n := len(row.Samples[column.Name]); n != want {
				t.Errorf("%q: %d samples of %s, want %d", row.Key, n, column.Name, want)
			}
		}
		if v, ok := row.Median(ofIdeal); ok && row.Key[3] == ideal && v != 1 {
			t.Errorf("%q is %v of the ideal, want 1", row.Key, v)
		}
	}
}

// TestLostJobIsAFailure uses a pool that loses jobs, and one that runs some jobs twice. Both are
// noticed even if few jobs are counted.
func TestLostJobIsAFailure(t *testing.T) {
	for _, each := range []int{1, rarely} {
		for _, times := range []int{0, 1, 2} {
			i := 0
			c := contestant{name: "fake", open: func(int) (func(func()), func()) {
				return func(job func()) {
					i++
					if n := 1; i > 1000 {
						n = times
						for range n {
							job()
						}
						return
					}
					job()
				}, func() {}
			}}
			row := new(record.Row)
			check(row, race(c, load{func() {}, 1, 1}, 2000, each))
			if failed := row.Failed != ""; failed != (times != 1) {
				t.Errorf("jobs run %d times, one of %d is counted: failed is %q", times, each, row.Failed)
			}
		}
	}
}

func TestRaceHasAllJobsDone(t *testing.T) {
	for _, c := range contestants {
		// Fewer than producers, and more than fit into the queue.
		for _, n := range []int{1, 100, 5000} {
			if r := race(c, load{func() {}, 7, 5}, n, 1); r.ran != n || r.counted != n || r.n != n {
				t.Errorf("%s: %d of %d jobs have run, and %d are counted, want all %d", c.name, r.ran, r.n, r.counted, n)
			}
		}
	}
}

// A canceller cancels a context at the second message.
type canceller struct {
	said   int
	cancel func()
}

func (c *canceller) Write(b []byte) (int, error) {
	if c.said++; c.said == 2 {
		c.cancel()
	}
	return len(b), nil
}

func TestEndOfContextKeepsWhatWasMeasured(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := Config{Jobs: []string{"io"}, Workers: []int{1, 2}, Producers: []int{1}, Rounds: 1, Time: time.Millisecond}
	r := record.New(nil)
	err := Run(ctx, c, record.NewProgress(&canceller{cancel: cancel}), r)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want the context's", err)
	}
	if n := len(r.Tables[0].Rows); n != len(contestants) {
		t.Errorf("%d rows are kept, want the %d of one worker", n, len(contestants))
	}
}

func TestWrongConfigIsTold(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`"hard"`:    func(c *Config) { c.Jobs = []string{empty, "hard"} },
		"0 workers": func(c *Config) { c.Workers = []int{1, 0} },
		"-1s":       func(c *Config) { c.Time = -time.Second },
	} {
		c := Quick()
		change(&c)
		r := record.New(nil)
		if err := Run(t.Context(), c, nil, r); err == nil || !strings.Contains(err.Error(), want) || len(r.Tables) != 0 {
			t.Errorf("error is %v, and there are %d tables, want %s named and none", err, len(r.Tables), want)
		}
	}
}

func TestChartsAreOfWhatIsMeasured(t *testing.T) {
	c := Full()
	if n := len(c.table().Charts); n != 3 {
		t.Errorf("%d charts of all, want 3", n)
	}
	c.Producers = []int{1}
	if charts := c.table().Charts; len(charts) != 2 || slices.ContainsFunc(charts, func(c record.Chart) bool { return c.Where["producers"] != "1" }) {
		t.Errorf("charts of one producer are %+v", charts)
	}
}
