package pool_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/recycling-go/recycling/core/pool"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// TestMain fails if a worker is left when all tests have ended.
func TestMain(m *testing.M) {
	os.Exit(leak.Main(m, "core/pool."))
}

// newPool returns a pool that is closed, and has ended, when the test has. The test sees to it
// that jobs and Lead return.
func newPool[T any](t testing.TB, c pool.Config[T]) *pool.Pool[T] {
	t.Helper()
	p, err := pool.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		<-p.Done()
	})
	return p
}

// submit submits jobs, for all of which there must be room.
func submit[T any](t testing.TB, p *pool.Pool[T], jobs ...T) {
	t.Helper()
	for _, job := range jobs {
		if err := p.TrySubmit(job); err != nil {
			t.Fatalf("TrySubmit(%v): %v", job, err)
		}
	}
}

// shutdown shuts p down, without a limit in time.
func shutdown[T any](t testing.TB, p *pool.Pool[T]) {
	t.Helper()
	if err := p.Shutdown(context.Background()); err != nil {
		t.Fatalf("Shutdown: %v", err)
	}
}

// held is Work whose jobs wait to be let go, and note when they begin.
type held struct {
	began chan int      // job numbers, in the order in which jobs began
	let   chan struct{} // each job takes one before it ends
}

// newHeld returns a pool whose jobs are held. When the test ends they are all let go.
func newHeld(t *testing.T, c pool.Config[int]) (*held, *pool.Pool[int]) {
	h := &held{make(chan int, 10_000), make(chan struct{}, 10_000)}
	if c.New == nil {
		c.Work = h.work
	}
	p := newPool(t, c)
	t.Cleanup(func() { close(h.let) })
	return h, p
}

func (h *held) work(job int) {
	h.began <- job
	<-h.let
}

// letGo lets n jobs end.
func (h *held) letGo(n int) {
	for range n {
		h.let <- struct{}{}
	}
	synctest.Wait()
}

// numbers returns those from from to below to.
func numbers(from, to int) (s []int) {
	for i := from; i < to; i++ {
		s = append(s, i)
	}
	return s
}

// expect fails unless exactly the jobs want have begun since the last call, in any order.
func (h *held) expect(t *testing.T, want ...int) {
	t.Helper()
	synctest.Wait()
	var got []int
	for len(h.began) > 0 {
		got = append(got, <-h.began)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("jobs %v have begun, want %v", got, want)
	}
}
