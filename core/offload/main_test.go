package offload_test

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
)

// TestMain fails if a goroutine of a pool is left after all tests.
func TestMain(m *testing.M) {
	os.Exit(leak.Main(m, "core/offload.", "alitto/pond"))
}

// newPool returns a pool that is closed, and waited for, at the end of the test. The test must make
// tasks return.
func newPool(t testing.TB, c offload.Config) *offload.Pool {
	t.Helper()
	p, err := offload.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		<-p.Done()
	})
	return p
}

// A way is one of the ways to get a worker.
type way struct {
	name string
	// run calls task when p has a worker for it, and returns the task's error, or why it got no
	// worker.
	run func(ctx context.Context, p *offload.Pool, task func(context.Context) error) error
}

var ways = []way{
	{"Do", func(ctx context.Context, p *offload.Pool, task func(context.Context) error) error {
		_, err := offload.Do(ctx, p, func(ctx context.Context) (struct{}, error) { return struct{}{}, task(ctx) })
		return err
	}},
	{"Admit", func(ctx context.Context, p *offload.Pool, task func(context.Context) error) error {
		ctx, release, err := p.Admit(ctx)
		if err != nil {
			return err
		}
		defer release()
		return task(ctx)
	}},
}

// inEveryWay runs test in a synctest bubble for each way.
func inEveryWay(t *testing.T, test func(t *testing.T, w way)) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, w) })
		})
	}
}

// result is the outcome of one call.
type result struct {
	n     int // the call's number
	err   error
	after time.Duration // since the calls were made
}

// A crowd makes calls, and collects results in the order in which they arrive.
type crowd struct {
	way
	pool    *offload.Pool
	results chan result
	calls   int
}

func newCrowd(w way, p *offload.Pool) *crowd {
	return &crowd{way: w, pool: p, results: make(chan result, 10_000)}
}

// call makes a call, in a bubble, and waits until it is queued, has begun or has returned.
func (c *crowd) call(ctx context.Context, task func(context.Context) error) {
	n, start := c.calls, time.Now()
	c.calls++
	go func() {
		err := c.run(ctx, c.pool, task)
		c.results <- result{n, err, time.Since(start)}
	}()
	synctest.Wait()
}

// next returns the oldest result that it has not returned yet.
func (c *crowd) next(t *testing.T) result {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-c.results:
		return r
	default:
		t.Fatalf("no call has returned: %+v", c.pool.Stats())
		panic("unreachable")
	}
}

// none fails the test if a call has returned.
func (c *crowd) none(t *testing.T) {
	t.Helper()
	synctest.Wait()
	if len(c.results) > 0 {
		t.Fatalf("a call has returned: %+v", <-c.results)
	}
}

// sleep returns a task that takes d and ignores its context.
func sleep(d time.Duration) func(context.Context) error {
	return func(context.Context) error {
		time.Sleep(d)
		return nil
	}
}
