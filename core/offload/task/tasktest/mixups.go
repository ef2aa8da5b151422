package tasktest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

var mixups = []behaviour{
	resultsNeverReachAnotherCaller,
	chunksNeverReachAnotherCaller,
}

const (
	crowd = 8  // callers at the same time
	turns = 60 // calls of each
)

// impatient returns a context that ends at random: never, or while a task that takes up to 2 ms is
// in the queue, runs or has ended.
func impatient(t *test, random *rand.Rand) (context.Context, context.CancelFunc) {
	if random.IntN(3) == 0 {
		return context.WithCancel(t.Context())
	}
	return context.WithTimeout(t.Context(), time.Duration(random.IntN(6000))*time.Microsecond)
}

// gaveUp reports whether err is that of a caller that did not wait.
func gaveUp(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded)
}

// rush lets a crowd make calls at p, with contexts that end at random, and fails the test unless
// some of them returned and some did not.
func rush(t *test, call func(ctx context.Context, random *rand.Rand, id int64) error) {
	t.Helper()
	var mu sync.Mutex // guards following
	served, left := 0, 0
	var all sync.WaitGroup
	for c := range crowd {
		all.Go(func() {
			random := rand.New(rand.NewPCG(17, uint64(c)))
			for i := range turns {
				ctx, cancel := impatient(t, random)
				err := call(ctx, random, int64(c*turns+i))
				switch {
				case err == nil:
				case !gaveUp(ctx, err):
					t.Errorf("the call ended with the error %v", err)
				}
				mu.Lock()
				if err == nil {
					served++
				} else {
					left++
				}
				mu.Unlock()
				cancel()
			}
		})
	}
	all.Wait()
	t.Logf("%d calls have returned, the callers of %d have left", served, left)
	if served == 0 {
		t.Error("no call has returned")
	}
}

func resultsNeverReachAnotherCaller(t *test) {
	p := t.start(offload.Config{Workers: 3}).Place
	rush(t, func(ctx context.Context, random *rand.Rand, id int64) error {
		in := labor{ID: id, Takes: time.Duration(random.IntN(2000)) * time.Microsecond, Bytes: chunk(int(id), random.IntN(5000))}
		out, err := pause.Do(ctx, p, in)
		if err == nil && (out.ID != in.ID || !bytes.Equal(out.Bytes, in.Bytes)) {
			t.Errorf("call %d got the output of call %d, %d bytes instead of %d", id, out.ID, len(out.Bytes), len(in.Bytes))
		}
		return err
	})
}

func chunksNeverReachAnotherCaller(t *test) {
	p := t.start(offload.Config{Workers: 3}).Place
	rush(t, func(ctx context.Context, random *rand.Rand, id int64) error {
		in := writing{First: int(id) * 100, Sizes: make([]int, random.IntN(20))}
		for i := range in.Sizes {
			in.Sizes[i] = random.IntN(5000)
		}
		var got bytes.Buffer
		err := chunks.Do(ctx, p, in, &got)
		if want := in.all(); !bytes.HasPrefix(want, got.Bytes()) || err == nil && got.Len() != len(want) {
			t.Errorf("call %d got %d bytes, which are not the %d bytes of its task", id, got.Len(), len(want))
		}
		return err
	})
}
