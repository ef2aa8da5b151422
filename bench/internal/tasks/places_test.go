package tasks

import (
	"errors"
	"slices"
	"testing"

	"github.com/recycling-go/recycling/bench/internal/record"
	"github.com/recycling-go/recycling/bench/internal/trial/hosts"
)

func TestTaskIsMeasuredInEachPlace(t *testing.T) {
	names := Places()
	if testing.Short() {
		names = names[:oneMachine]
	} else if n, err := hosts.New(t.Context(), t.TempDir(), "host1"); err == nil {
		n.Close()
	} else if errors.Is(err, hosts.ErrUnsupported) {
		t.Log(err)
		names = names[:oneMachine]
	}
	r := record.New(nil)
	c := Config{Rounds: 1, Duration: 10 * ms, Workers: 2, Places: names, Scenarios: []string{"baseline_10ms", "overload_10ms"}}
	if err := Run(t.Context(), c, nil, r); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.Tables, func(t *record.Table) bool { return t.Name == "task_places" })
	if i < 0 || len(r.Tables[i].Rows) != 2*(1+len(names)) {
		t.Fatalf("there is no table task_places with two scenarios in %d places", 1+len(names))
	}
	for _, row := range r.Tables[i].Rows {
		if row.Failed != "" || len(row.Samples["calls/s"]) != 1 || row.Samples["calls/s"][0] <= 0 {
			t.Errorf("%q: failed %q, samples are %v", row.Key, row.Failed, row.Samples)
		}
	}
	overhead := r.Tables[i+1]
	if overhead.Name != "task_overhead" || len(overhead.Rows) != len(names) {
		t.Fatalf("table %s has %d rows, want task_overhead with %d", overhead.Name, len(overhead.Rows), len(names))
	}
	for _, row := range overhead.Rows {
		if row.Failed != "" {
			t.Errorf("%q: failed: %s", row.Key, row.Failed)
		}
		for _, column := range []string{"p50", "p99", "floor p50", "floor p99", "of floor"} {
			if got := row.Samples[column]; len(got) != 1 || got[0] <= 0 {
				t.Errorf("%q: %s is %v, want one sample", row.Key, column, got)
			}
		}
	}
}
