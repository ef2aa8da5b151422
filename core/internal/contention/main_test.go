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
	// What nearly all requests of a load may do without being one word of each shard's: begin and
	// end stays, and what happens when a worker is added.
	const slack = 0.5
	for _, conns := range []int{8, 100, 1000} {
		var locks, writes float64 // of one processor
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
					if procs == 1 {
						locks, writes = l["shard"], w["shard"]
					}
					ok = l["all"]+w["all"] < 0.05 && l["shard"] < locks+slack && w["shard"] < writes+slack
				}
				if want := (procs + 3) / 4; r.Shards != want {
					t.Errorf("%d shards, want %d", r.Shards, want)
				}
				if l["shard"] == 0 || w["shard"] == 0 || l["own"] == 0 {
					t.Errorf("locks %v, writes %v: nothing was counted", l, w)
				}
				if !ok {
					t.Errorf("locks %v and writes %v per request, want none that all shards share, and for a shard about %.1f locks and %.1f writes, as with one processor", l, w, locks, writes)
					r.print(t.Output())
				}
			})
		}
	}
}
