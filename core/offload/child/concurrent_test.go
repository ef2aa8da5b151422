package child_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task"
)

// crowd calls the stash from as many goroutines as its input says, with values that are larger
// than a pipe, and returns how many calls were answered.
var crowd = task.Register(&tasks, "crowd", func(ctx context.Context, n int) (int, error) {
	s := child.Stash(nil)
	var mu sync.Mutex
	answered, wrong := 0, error(nil)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			key, value := fmt.Sprint("k", i), make([]byte, 100<<10)
			value[i] = byte(i + 1)
			_, err := s.Put(ctx, key, value, 0)
			var got []byte
			if err == nil {
				got, _, err = s.Get(ctx, key)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && len(got) == len(value) && got[i] == byte(i+1):
				answered++
			case err == nil:
				wrong = fmt.Errorf("call %d got the answer to another one", i)
			case ctx.Err() == nil:
				wrong = err
			}
		})
	}
	all.Wait()
	return answered, wrong
}, task.Options{})

func TestStashCallsOfManyGoroutines(t *testing.T) {
	const many = 20
	c := workers(1)
	c.Stash = newStash(t)
	p := open(t, c)
	before, _ := pid.Do(ctx, p, struct{}{})
	if n, err := crowd.Do(ctx, p, many); n != many || err != nil {
		t.Errorf("%d answers, %v; want %d", n, err, many)
	}
	for i := range 10 { // at whatever point it is canceled
		short, cancel := context.WithTimeout(ctx, time.Duration(i)*time.Millisecond)
		if n, err := crowd.Do(short, p, many); err != nil && err != context.DeadlineExceeded {
			t.Errorf("%d answers, %v", n, err)
		}
		cancel()
	}
	if after, err := pid.Do(ctx, p, struct{}{}); after != before || err != nil {
		t.Errorf("process %d, %v; want the same, %d", after, err, before)
	}
}

func TestRestartAndCloseAtOnce(t *testing.T) {
	before := left()
	for range 5 {
		p := open(t, workers(2))
		restarted := make(chan error, 3)
		for range cap(restarted) {
			go func() { restarted <- p.Restart(ctx, "all") }()
		}
		go p.Resize(ctx, "all", 1)
		p.Close()
		for range cap(restarted) {
			if err := <-restarted; err != nil && !errors.Is(err, offload.ErrClosed) {
				t.Errorf("%v, want ErrClosed or nil", err)
			}
		}
		<-p.Done()
	}
	if after := left(); after != before {
		t.Errorf("before there were %+v, now there are %+v", before, after)
	}
}
