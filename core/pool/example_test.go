package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/recycling-go/recycling/core/pool"
)

func Example() {
	var sum atomic.Int64
	p, err := pool.New(pool.Config[int]{
		Work:  func(n int) { sum.Add(int64(n)) },
		Max:   8,
		Queue: 100, // when so many wait, so does Submit
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

// Workers that own memory: one buffer per worker, and not one per job.
func ExampleConfig_new() {
	p, err := pool.New(pool.Config[string]{
		Max: 1,
		New: func(func()) func(string) {
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
	close(source) // Lead returns an error: now Shutdown can end
	p.Shutdown(context.Background())
	// Output:
	// one
	// two
}
