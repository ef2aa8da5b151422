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
	if i < 0 || len(r.Tables[i].Rows) != 3*(1+len(names)) {
		t.Fatalf("there is no table task_places with three scenarios in %d places", 1+len(names))
	}
	for _, row := range r.Tables[i].Rows {
		if row.Failed != "" || len(row.Samples["calls/s"]) != 1 || row.Samples["calls/s"][0] <= 0 {
			t.Errorf("%q: failed %q, samples are %v", row.Key, row.Failed, row.Samples)
		}
	}
}
