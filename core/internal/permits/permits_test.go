package permits_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/internal/permits"
)

func TestSharesTakeFromEachOther(t *testing.T) {
	s := permits.New(10)
	a, b := s.Share(), s.Share()
	if n := a.Take(6); n != 6 {
		t.Errorf("took %d of 10 permits, want 6", n)
	}
	a.Put(6)
	if n := b.Take(7); n != 7 {
		t.Errorf("took %d permits while 4 are nobody's and 6 are another share's, want 7", n)
	}
	if n := a.Take(7); n != 3 {
		t.Errorf("took %d permits, want the 3 that are left", n)
	}
	if a.Available() || b.Available() || s.Free() != 0 || a.Take(1) != 0 {
		t.Errorf("all permits are in use, and %d are free", s.Free())
	}
	b.Put(1)
	if !a.Available() || s.Free() != 1 || a.Take(2) != 1 {
		t.Error("a permit was returned to another share, and is not available")
	}
}

func TestShareThatWasGivenBackIsUsedAgain(t *testing.T) {
	s := permits.New(math.MaxInt64)
	a, b := s.Share(), s.Share()
	if n := a.Take(5); n != 5 {
		t.Fatalf("took %d permits, want 5", n)
	}
	a.GiveBack()
	a.Put(2) // a user may be late
	if c := s.Share(); c != a {
		t.Error("a share that nobody uses is not used again")
	}
	if n := b.Take(math.MaxInt64); n != math.MaxInt64-3 || s.Free() != 0 {
		t.Errorf("took %d permits, and %d are free, want all but 3, and none", n, s.Free())
	}
}

// TestPermitsAreExact has goroutines take and return permits of several shares. No more than there
// are may be in use, and at the end none may be lost.
func TestPermitsAreExact(t *testing.T) {
	const total, users, rounds = 7, 6, 3000
	s := permits.New(total)
	var inUse, most atomic.Int64
	var wg sync.WaitGroup
	for u := range uint64(users) {
		x := s.Share()
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(u, 1))
			for range rounds {
				n := x.Take(1 + rnd.Int64N(3))
				if now := inUse.Add(n); now > total {
					most.Store(now)
				}
				inUse.Add(-n)
				x.Put(n)
				if rnd.IntN(100) == 0 {
					x.GiveBack()
					x = s.Share()
				}
			}
		})
	}
	wg.Wait()
	if n := most.Load(); n > 0 {
		t.Errorf("%d permits were in use, of %d", n, total)
	}
	if n := s.Free(); n != total {
		t.Errorf("%d permits are left, want %d", n, total)
	}
}

func TestOverdrawnPermitsArePaidOffFirst(t *testing.T) {
	s := permits.New(2)
	a, b := s.Share(), s.Share()
	a.Overdraw(1)
	if s.Debt() != 0 || s.Free() != 1 || a.Owing() {
		t.Fatalf("debt %d, %d free, want 0 and 1: a permit was free", s.Debt(), s.Free())
	}
	b.Overdraw(1)
	b.Overdraw(1)
	a.Overdraw(1)
	if s.Debt() != 2 || s.Free() != 0 || !a.Owing() || a.Available() {
		t.Fatalf("4 of 2 permits are in use: debt %d, %d free", s.Debt(), s.Free())
	}
	if !a.Repay() || s.Debt() != 1 || b.Take(1) != 0 {
		t.Fatalf("a permit was returned: debt %d, %d free, want 1 and 0", s.Debt(), s.Free())
	}
	b.Put(2)
	if s.Debt() != 0 || s.Free() != 1 || b.Repay() {
		t.Fatalf("1 of 2 permits is in use: debt %d, %d free", s.Debt(), s.Free())
	}
}

// TestOverdrawingIsExact has goroutines take, overdraw and return permits. Whenever none of them is
// doing that, either no permit is free or none is owed, and none is lost.
func TestOverdrawingIsExact(t *testing.T) {
	const total, users, rounds, steps = 3, 6, 100, 200
	s := permits.New(total)
	shares := make([]*permits.Share, users)
	held := make([]int64, users)
	for u := range shares {
		shares[u] = s.Share()
	}
	for round := range uint64(rounds) {
		var wg sync.WaitGroup
		for u, x := range shares {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(round, uint64(u)))
				for range steps {
					switch rnd.IntN(4) {
					case 0:
						held[u] += x.Take(1)
					case 1:
						x.Overdraw(1)
						held[u]++
					case 2:
						if held[u] > 0 {
							held[u]--
							x.Put(1)
						}
					case 3:
						if held[u] > 0 && x.Repay() {
							held[u]--
						}
					}
				}
			})
		}
		wg.Wait()
		inUse := int64(0)
		for _, n := range held {
			inUse += n
		}
		if want := max(inUse-total, 0); s.Debt() != want || s.Free() != max(total-inUse, 0) {
			t.Fatalf("%d of %d permits are in use: debt %d, %d free", inUse, total, s.Debt(), s.Free())
		}
	}
}

// TestOverdrawMeetsPut overdraws a Set at the moment at which its only permit is returned.
func TestOverdrawMeetsPut(t *testing.T) {
	const rounds = 50_000
	s := permits.New(1)
	a, b := s.Share(), s.Share()
	a.Take(1)
	var turn atomic.Int64
	over := make(chan struct{})
	go func() {
		defer close(over)
		for n := range int64(rounds) {
			spinUntil(&turn, 2*n+1)
			b.Overdraw(1)
			turn.Add(1)
		}
	}()
	begin := time.Now() // on a busy machine, a round can take long
	for n := int64(0); n < rounds && time.Since(begin) < 5*time.Second; n++ {
		turn.Add(1)
		a.Put(1)
		spinUntil(&turn, 2*n+2)
		if s.Debt() != 0 || s.Free() != 0 {
			t.Errorf("the only permit is in use: debt %d, %d free", s.Debt(), s.Free())
			break
		}
	}
	turn.Store(math.MaxInt32)
	<-over
}

// spinUntil waits until turn is n or more. It seldom yields, so that two goroutines that wait for
// the same turn continue at the same moment.
func spinUntil(turn *atomic.Int64, n int64) {
	for i := 1; turn.Load() < n; i++ {
		if i%1000 == 0 {
			runtime.Gosched()
		}
	}
}
