package report

import (
	"io"
	"testing"

	"github.com/recycling-go/recycling/bench/internal/record"
)

func TestGrainIsNoChange(t *testing.T) {
	run := func(allocs float64) *record.Run {
		r := record.New(nil)
		table := &record.Table{Name: "t", Keys: []string{"server"}, Baseline: "base", Columns: []record.Column{{Name: "allocs", Format: "%.2f", Better: record.Lower, Grain: 0.5}}}
		for _, name := range []string{"base", "a", "b", "c"} {
			for range enoughRounds {
				v := 0.0
				if name == "b" {
					v = allocs
				}
				table.Row(name).Add("allocs", v)
			}
		}
		r.Tables = append(r.Tables, table)
		return r
	}
	for allocs, want := range map[float64]int{0.4: 0, 2: 1} {
		if n, err := Compare(io.Discard, run(0), run(allocs)); err != nil || n != want {
			t.Errorf("from 0 to %v: %d changes, %v, want %d", allocs, n, err, want)
		}
	}
}
