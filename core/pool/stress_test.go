package pool_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/pool"
)

// TestEveryJobRunsOnceOrIsHandedBack has submitters, waiting and not, a leader, jobs that panic,
// end their goroutine and push others, and calls Shutdown or Close at any moment.
func TestEveryJobRunsOnceOrIsHandedBack(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for seed := range rounds {
		stress(t, uint64(seed))
	}
}

type stressJob struct {
	ran  atomic.Int32
	back bool
	kind uint32
}

func stress(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	var all struct {
		sync.Mutex
		accepted []*stressJob
	}
	accept := func(jobs ...*stressJob) {
		all.Lock()
		defer all.Unlock()
		all.accepted = append(all.accepted, jobs...)
	}
	source := make(chan int)
	var p *pool.Pool[*stressJob]
	started := make(chan struct{})
	c := pool.Config[*stressJob]{
		Max:      1 + rnd.IntN(6),
		Standby:  -rnd.IntN(2),
		Queue:    rnd.IntN(3) * 20,
		IdleTime: time.Duration(rnd.IntN(200)) * time.Microsecond,
		Work: func(j *stressJob) {
			<-started
			j.ran.Add(1)
			switch j.kind % 64 {
			case 0:
				panic("stress")
			case 1:
				runtime.Goexit()
			case 2:
				time.Sleep(10 * time.Microsecond)
			case 3:
				if again := (&stressJob{kind: 5}); p.Push(again) == nil {
					accept(again)
				}
			case 4:
				runtime.Gosched()
			}
		},
	}
	led := rnd.IntN(2) == 0
	if led {
		c.Lead = func(batch []*stressJob) ([]*stressJob, error) {
			n, ok := <-source
			for range n {
				batch = append(batch, &stressJob{kind: rand.Uint32()})
			}
			accept(batch...)
			if !ok {
				return batch, errSourceEnded
			}
			return batch, nil
		}
	}
	p, err := pool.New(c)
	if err != nil {
		t.Fatal(err)
	}
	close(started)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	for range 4 {
		rnd := rand.New(rand.NewPCG(seed, rnd.Uint64()))
		wg.Go(func() {
			for range 300 {
				j := &stressJob{kind: rnd.Uint32()}
				var err error
				switch rnd.IntN(4) {
				case 0:
					err = p.TrySubmit(j)
				case 1:
					err = p.Submit(context.Background(), j)
				case 2:
					ctx, cancel := context.WithCancel(ctx)
					time.AfterFunc(time.Duration(rnd.IntN(50))*time.Microsecond, cancel)
					err = p.Submit(ctx, j)
				case 3:
					batch := make([]*stressJob, rnd.IntN(100))
					for i := range batch {
						batch[i] = &stressJob{kind: rnd.Uint32()}
					}
					if err = p.Push(append(batch, j)...); err == nil {
						accept(batch...)
					}
				}
				switch {
				case err == nil:
					accept(j)
				case errors.Is(err, pool.ErrClosed):
					return
				}
			}
		})
	}
	ending := make(chan struct{})
	if led {
		wg.Go(func() {
			defer close(source)
			for {
				select {
				case source <- rand.IntN(10):
				case <-ending:
					return
				}
			}
		})
	}
	if rnd.IntN(2) == 0 {
		time.Sleep(time.Duration(rnd.IntN(1000)) * time.Microsecond)
	} else if !led {
		wg.Wait()
	}
	var back []*stressJob
	close(ending)
	if rnd.IntN(2) == 0 {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Errorf("seed %d: Shutdown: %v", seed, err)
		}
	} else {
		back = p.Close()
		<-p.Done()
	}
	back = append(back, p.Close()...)
	wg.Wait()

	for _, j := range back {
		j.back = true
	}
	ran := 0
	for _, j := range all.accepted {
		n := int(j.ran.Load())
		ran += n
		if j.back && n != 0 || !j.back && n != 1 {
			t.Errorf("seed %d: a job ran %d times, and handed back is %t", seed, n, j.back)
		}
	}
	s := p.Stats()
	if s.Workers != 0 || s.Busy != 0 || s.Queued != 0 || s.Waiting != 0 || s.Idle != 0 || s.Leading {
		t.Errorf("seed %d: %+v when all has ended", seed, s)
	}
	if int(s.Done) != ran {
		t.Errorf("seed %d: %d jobs are counted as done, want %d", seed, s.Done, ran)
	}
}
