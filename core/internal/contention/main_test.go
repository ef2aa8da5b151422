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
		var first *result
		for _, procs := range []int{1, 4, 16} {
			t.Run(fmt.Sprintf("GOMAXPROCS=%d,connections=%d", procs, conns), func(t *testing.T) {
				r, err := count(server, procs, conns, 5000)
				if err != nil {
					t.Fatal(err)
				}
				if want := (procs + 3) / 4; r.Shards != want {
					t.Errorf("%d shards, want %d", r.Shards, want)
				}
				locks, writes := r.perRequest("lock"), r.perRequest("write")
				if locks["shard"] == 0 || writes["shard"] == 0 || locks["own"] == 0 {
					t.Errorf("locks %v, writes %v: nothing was counted", locks, writes)
				}
				if n := locks["all"] + writes["all"]; n > 0.05 {
					t.Errorf("per request there are %.3f locks and writes that all shards share:", n)
					r.print(t.Output())
				}
				if first == nil {
					first = r
				}
				l, w := first.perRequest("lock"), first.perRequest("write")
				if locks["shard"] > l["shard"]+slack || writes["shard"] > w["shard"]+slack {
					t.Errorf("locks %v and writes %v per request, want about as many as with one processor: %v and %v", locks, writes, l, w)
					r.print(t.Output())
				}
			})
		}
	}
}
