package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/pool"
)

func Example() {
	var sum atomic.Int64
	p, err := pool.New(pool.Config[int]{
		Work:  func(n int) { sum.Add(int64(n)) },
		Max:   8,
		Queue: 100, // when this many jobs wait, Submit waits
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for n := range 1000 {
		if err := p.Submit(ctx, n); err != nil {
			fmt.Println(err)
		}
	}
	if err := p.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println(sum.Load(), p.Stats().Done)
	// Output: 499500 1000
}

// A function per job.
func ExampleConfig_work() {
	p, err := pool.New(pool.Config[func()]{
		Work: func(job func()) { job() },
		Max:  1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	p.TrySubmit(func() { fmt.Println("one") })
	p.TrySubmit(func() { fmt.Println("two") })
	p.Shutdown(context.Background())
	// Output:
	// one
	// two
}

// Jobs that carry a context: Work skips those that nobody waits for any more.
func ExampleConfig_context() {
	type job struct {
		ctx  context.Context
		name string
	}
	p, err := pool.New(pool.Config[job]{
		Work: func(j job) {
			if err := j.ctx.Err(); err != nil {
				fmt.Printf("%s is skipped: %v\n", j.name, err)
				return
			}
			fmt.Println(j.name, "is done")
		},
		Max: 1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p.TrySubmit(job{context.Background(), "one"})
	p.TrySubmit(job{ctx, "two"})
	p.Shutdown(context.Background())
	// Output:
	// one is done
	// two is skipped: context canceled
}

// A shutdown with a deadline, and what to do with the jobs that were not started in time.
func ExamplePool_Close() {
	began, end := make(chan bool), make(chan bool)
	p, err := pool.New(pool.Config[string]{
		Work: func(string) { began <- true; <-end },
		Max:  1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	p.TrySubmit("one")
	p.TrySubmit("two")
	p.TrySubmit("three")
	<-began
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := p.Shutdown(ctx); err != nil {
		fmt.Println(err)
		fmt.Println("not started:", p.Close())
	}
	close(end)
	<-p.Done()
	// Output:
	// pool: shutdown: 2 jobs queued, 1 at work: context deadline exceeded
	// not started: [two three]
}

// Workers that own memory: one buffer per worker, instead of one per job.
func ExampleConfig_new() {
	p, err := pool.New(pool.Config[string]{
		Max: 1,
		New: func(*pool.Control) func(string) {
			var b bytes.Buffer
			return func(name string) {
				b.Reset()
				fmt.Fprintf(&b, "Hello, %s!", name)
				fmt.Println(b.String())
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	p.TrySubmit("Ann")
	p.TrySubmit("Ben")
	p.Shutdown(context.Background())
	// Output:
	// Hello, Ann!
	// Hello, Ben!
}

// Workers that fetch their work. Here it comes from a channel.
func ExampleConfig_lead() {
	source := make(chan string)
	p, err := pool.New(pool.Config[string]{
		Max:  1,
		Work: func(s string) { fmt.Println(s) },
		Lead: func(batch []string) ([]string, error) {
			s, ok := <-source
			if !ok {
				return nil, errors.New("no more")
			}
			return append(batch, s), nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	source <- "one"
	source <- "two"
	close(source) // Lead returns an error, so that Shutdown can return
	p.Shutdown(context.Background())
	// Output:
	// one
	// two
}
