package pool_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/recycling-go/recycling/core/pool"
)

func TestRingIsASlice(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var r pool.Ring[*int]
	var model []*int
	dst := make([]*int, pool.ClaimBatchSize)
	for step := range 20_000 {
		growing := step/1000%2 == 0
		switch x := rnd.IntN(10); {
		case x < 4 || growing && x < 7:
			v := new(int)
			r.Push(v)
			model = append(model, v)
		case x < 8 && len(model) > 0:
			if v := r.Pop(); v != model[0] {
				t.Fatalf("step %d: Pop is not the oldest", step)
			}
			model = model[1:]
		case x < 9:
			d := dst[:rnd.IntN(len(dst))]
			n := r.Move(d)
			if n != min(len(d), len(model)) || !slices.Equal(d[:n], model[:n]) {
				t.Fatalf("step %d: Move took %d of %d, or not the oldest", step, n, len(model))
			}
			model = model[n:]
		default:
			r.Shrink()
		}
		if r.Len() != len(model) {
			t.Fatalf("step %d: %d elements, want %d", step, r.Len(), len(model))
		}
		kept := len(slices.DeleteFunc(slices.Clone(r.Slots()), func(v *int) bool { return v == nil }))
		if kept != len(model) {
			t.Fatalf("step %d: %d slots hold something, want %d", step, kept, len(model))
		}
	}
}

func TestRingShrinksAfterAPeakOnly(t *testing.T) {
	var r pool.Ring[int]
	fill := func(n int) {
		for i := range n {
			r.Push(i)
		}
		for range n {
			r.Pop()
		}
	}
	fill(1000)
	r.Shrink()
	if n := len(r.Slots()); n != 1024 {
		t.Fatalf("%d slots after a peak of 1000, want 1024", n)
	}
	fill(300)
	r.Shrink()
	if n := len(r.Slots()); n != 1024 {
		t.Errorf("%d slots after 300 were used, want 1024", n)
	}
	for range 10 {
		fill(10)
		r.Shrink()
	}
	if n := len(r.Slots()); n != pool.MinRing {
		t.Errorf("%d slots long after a peak, want %d", n, pool.MinRing)
	}
}
