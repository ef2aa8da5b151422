//go:build !recycling_count && linux

package main

import (
	"fmt"
	"os/exec"
	"testing"
)

// TestCountsDoNotGrow builds a server that counts, which takes half a minute.
func TestCountsDoNotGrow(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the standard library")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command")
	}
	server, err := build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	// How much a request may do to words of its shard. It is 2 to 3 locks and 4 to 5 writes,
	// whatever the number of shards. A request that used words of each of four shards would do
	// three more.
	const maxLocks, maxWrites = 4.5, 6
	for _, conns := range []int{8, 100, 1000} {
		for _, procs := range []int{1, 4, 16} {
			t.Run(fmt.Sprintf("GOMAXPROCS=%d,connections=%d", procs, conns), func(t *testing.T) {
				var r *result
				var l, w map[string]float64
				ok := false
				// The counts vary, and memory that the server has given up meanwhile has no name.
				for try := 0; try < 3 && !ok; try++ {
					var err error
					if r, err = count(server, procs, conns, 5000); err != nil {
						t.Fatal(err)
					}
					l, w = r.perRequest("lock"), r.perRequest("write")
					ok = l["all"]+w["all"] < 0.05 && l["shard"] < maxLocks && w["shard"] < maxWrites
				}
				if want := (procs + 3) / 4; r.Shards != want {
					t.Errorf("%d shards, want %d", r.Shards, want)
				}
				if l["shard"] == 0 || w["shard"] == 0 || l["own"] == 0 {
					t.Errorf("locks %v, writes %v: nothing was counted", l, w)
				}
				if !ok {
					t.Errorf("locks %v and writes %v per request, want none that all shards share, and for a shard less than %v locks and %v writes", l, w, maxLocks, maxWrites)
					r.print(t.Output())
				}
			})
		}
	}
}
