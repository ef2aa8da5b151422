package engine

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/recycling-go/recycling/core/internal/permits"
)

// newLimiter returns a queueLimiter without connections, and shards that share it.
func newLimiter(workers, queue int64, shards int) (*queueLimiter, []*shard) {
	l := &queueLimiter{workers: workers, maxOver: queue, room: permits.New(workers)}
	var all []*shard
	for range shards {
		all = append(all, &shard{room: l.room.Share()})
	}
	return l, all
}

func TestConnectionsAreCountedOneByOne(t *testing.T) {
	l, s := newLimiter(3, 2, 2)
	for i, x := range []struct{ shard, n, over, admitted int }{
		{0, 2, 0, 2},
		{1, 1, 0, 3},
		{1, 1, 1, 4},
		{0, 3, 4, 7},
		{1, -1, 0, 6},
		{0, -2, 0, 4},
		{0, -1, 0, 3},
		{0, 1, 1, 4},
		{1, -4, 0, 0},
		{1, 3, 0, 3},
	} {
		var over int64
		if x.n > 0 {
			over = l.add(s[x.shard], x.n)
		} else {
			l.done(s[x.shard], -x.n)
		}
		if over != int64(x.over) || l.admitted() != int64(x.admitted) || l.crowded() != (x.admitted > 3) {
			t.Fatalf("step %d: %d over, %d admitted, crowded %v; want %+v", i, over, l.admitted(), l.crowded(), x)
		}
	}
}

// TestQueueLimitIsExact has many goroutines ask at once. Without one that leaves, exactly as many
// are admitted as there are workers and places in the queue.
func TestQueueLimitIsExact(t *testing.T) {
	for range 300 {
		const workers, queue, users = 5, 4, 16
		l, s := newLimiter(workers, queue, 3)
		var admitted atomic.Int64
		var wg sync.WaitGroup
		for i := range users {
			wg.Go(func() {
				s := s[i%len(s)]
				if l.add(s, 1) > l.maxOver {
					l.done(s, 1)
				} else {
					admitted.Add(1)
				}
			})
		}
		wg.Wait()
		if n := admitted.Load(); n != workers+queue || l.admitted() != n {
			t.Fatalf("%d were admitted and %d count, want %d", n, l.admitted(), workers+queue)
		}
	}
}

// TestNobodyWaitsForAFreePermit has goroutines come and go. Whenever they rest, connections are
// counted as waiting only if there is no free permit.
func TestNobodyWaitsForAFreePermit(t *testing.T) {
	const users, rounds = 6, 200
	l, s := newLimiter(4, 100, 3)
	counts := make([]int, users)
	for round := range uint64(rounds) {
		var wg sync.WaitGroup
		for i := range users {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(round, uint64(i)))
				s := s[i%len(s)]
				for range 50 {
					if n := rnd.IntN(3); rnd.IntN(2) == 0 {
						l.add(s, n)
						counts[i] += n
					} else if n = min(n, counts[i]); n > 0 {
						l.done(s, n)
						counts[i] -= n
					}
				}
			})
		}
		wg.Wait()
		want := 0
		for _, n := range counts {
			want += n
		}
		over, free := l.room.Debt(), l.room.Free()
		if over > 0 && free > 0 || l.admitted() != int64(want) {
			t.Fatalf("%d wait, and %d permits are free; %d count as admitted, want %d", over, free, l.admitted(), want)
		}
	}
}
