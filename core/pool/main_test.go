package pool_test

import (
	"context"
	"io"
	"log"
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/recycling-go/recycling/core/pool"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// TestMain fails if a worker is left after all tests. It drops what is logged: many jobs panic.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	os.Exit(leak.Main(m, "core/pool."))
}

// newPool returns a pool that is closed, and waited for, at the end of the test. The test must make
// jobs and Lead return.
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

// submit submits jobs, and fails the test if there is no room for them.
func submit[T any](t testing.TB, p *pool.Pool[T], jobs ...T) {
	t.Helper()
	for _, job := range jobs {
		if err := p.TrySubmit(job); err != nil {
			t.Fatalf("TrySubmit(%v): %v", job, err)
		}
	}
}

// shutdown shuts p down without a deadline.
func shutdown[T any](t testing.TB, p *pool.Pool[T]) {
	t.Helper()
	if err := p.Shutdown(context.Background()); err != nil {
		t.Fatalf("Shutdown: %v", err)
	}
}

// held has a Work function whose jobs report that they have started, and then wait for letGo.
type held struct {
	began chan int      // job numbers, in the order in which the jobs started
	let   chan struct{} // each job receives once before it returns
}

// newHeld returns a pool whose jobs are held. At the end of the test they are all let go.
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

// letGo lets n jobs return.
func (h *held) letGo(n int) {
	for range n {
		h.let <- struct{}{}
	}
	synctest.Wait()
}

// numbers returns the numbers from from up to to-1.
func numbers(from, to int) (s []int) {
	for i := from; i < to; i++ {
		s = append(s, i)
	}
	return s
}

// expect fails unless exactly the jobs in want have started since the last call, in any order.
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
