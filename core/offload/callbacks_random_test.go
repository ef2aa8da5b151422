package offload_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

// TestHooksThatDoAnything has all functions of the configuration panic, end their goroutine, take
// long and call methods of the pool, at random, while the pool is used, changed and stopped. No
// resource is used by two, closed twice or never, and the pool comes to an end.
func TestHooksThatDoAnything(t *testing.T) {
	log.SetOutput(io.Discard) // panics of Panic
	defer log.SetOutput(os.Stderr)
	seed := rand.Uint64()
	for round := range 20 {
		for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
			for _, closeFirst := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					h := &anyHooks{t: t, random: rand.New(rand.NewPCG(seed, uint64(round)))}
					h.run(policy, closeFirst)
				})
				if t.Failed() {
					t.Fatalf("%v, CloseFirst=%t: seed %d, round %d", policy, closeFirst, seed, round)
				}
			}
		}
	}
}

type anyHooks struct {
	t    *testing.T
	pool atomic.Pointer[offload.Resources[*handle]]

	mu     sync.Mutex // guards following
	random *rand.Rand
	opened []*handle
}

func (h *anyHooks) intN(n int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.random.IntN(n)
}

// anything does something that a function of the configuration might do.
func (h *anyHooks) anything() {
	r := h.pool.Load()
	if r == nil { // NewResources would return an error
		return
	}
	switch h.intN(16) {
	case 0:
		panic("hook")
	case 1:
		runtime.Goexit()
	case 2:
		time.Sleep(time.Duration(h.intN(5)) * time.Millisecond)
	case 3:
		r.Resize(h.intN(5) - 2)
	case 4:
		r.Stats()
		r.Occupied()
	case 5:
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		h.use(ctx, r)
	case 6:
		go h.restart(r)
	case 7:
		h.restart(r) // which may have to wait for this function, but has a limit
	}
}

func (h *anyHooks) restart(r *offload.Resources[*handle]) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(h.intN(20))*time.Millisecond)
	defer cancel()
	if err := r.Restart(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, offload.ErrClosed) {
		h.t.Error(err)
	}
}

func (h *anyHooks) use(ctx context.Context, r *offload.Resources[*handle]) {
	use(ctx, r, func(_ context.Context, x *handle) error {
		time.Sleep(time.Duration(h.intN(4)) * time.Millisecond)
		switch h.intN(12) {
		case 0:
			return offload.ErrBroken
		case 1:
			x.failed(errors.New("failed"))
		case 2:
			panic("task")
		case 3:
			runtime.Goexit()
		}
		return nil
	})
}

func (h *anyHooks) open(ctx context.Context, failed func(error)) (*handle, error) {
	if h.pool.Load() != nil {
		switch h.intN(8) {
		case 0:
			return nil, errors.New("refused")
		case 1:
			failed(errors.New("too early"))
		case 2:
			go failed(errors.New("at some time"))
		}
		h.anything()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	x := &handle{n: len(h.opened), failed: failed}
	h.opened = append(h.opened, x)
	return x, nil
}

func (h *anyHooks) close(x *handle) error {
	if x.inUse.Load() != 0 || x.closed.Swap(true) {
		h.t.Errorf("handle %d was closed twice, or while in use", x.n)
	}
	x.failed(errors.New("too late"))
	h.anything()
	return fmt.Errorf("close %d", h.intN(2))
}

func (h *anyHooks) run(policy offload.Policy, closeFirst bool) {
	r, err := offload.NewResources(context.Background(), offload.ResourceConfig[*handle]{
		Config: offload.Config{
			Workers: 3, MaxWorkers: 6, Queue: 10, Wait: 5 * time.Millisecond, Policy: policy, Slots: offload.Slots{"GPU": 2},
			Event: func(offload.Event) { h.anything() },
			Panic: func(any, []byte) { h.anything() },
		},
		Open: h.open, Close: h.close,
		Failed: func(error) { h.anything() },
		Worn: func(x *handle) error {
			if x.closed.Load() {
				h.t.Errorf("handle %d was looked at after it was closed", x.n)
			}
			h.anything()
			if h.intN(5) == 0 {
				return errors.New("worn")
			}
			return nil
		},
		CheckEvery: 3 * time.Millisecond, MaxAge: 30 * time.Millisecond, MaxTasks: 10,
		Backoff: time.Millisecond, MaxBackoff: 4 * time.Millisecond, CloseFirst: closeFirst, ReplaceAtOnce: 2,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.pool.Store(r)
	gpu, err := r.With(offload.Slots{"GPU": 1})
	if err != nil {
		h.t.Fatal(err)
	}
	var callers sync.WaitGroup
	for i := range 150 {
		with := r
		if i%2 == 0 {
			with = gpu
		}
		callers.Go(func() {
			ended := make(chan struct{})
			go func() { // a task may end it
				defer close(ended)
				defer func() { recover() }()
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(h.intN(10))*time.Millisecond)
				defer cancel()
				h.use(ctx, with)
			}()
			<-ended
		})
		time.Sleep(time.Millisecond)
	}
	callers.Wait()
	if h.intN(2) == 0 {
		r.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil {
		h.t.Fatal(err)
	}
	time.Sleep(time.Second) // for the goroutines that the hooks have started
	for _, x := range h.opened {
		if !x.closed.Load() {
			h.t.Errorf("handle %d was not closed", x.n)
		}
	}
	if s := r.Stats(); s.Running+s.Idle+s.Restarting+s.Queued != 0 || int(s.Opened) != len(h.opened) {
		h.t.Errorf("%+v, opened %d", s, len(h.opened))
	}
	if n := r.Occupied()["GPU"]; n != 0 {
		h.t.Errorf("%d GPUs are occupied", n)
	}
}
