package recyclingnats

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/recycling-go/recycling/core/offload/task"
)

const (
	sweepEvery  = time.Hour
	sweepPause  = time.Minute      // between two sweeps that a full bucket causes
	sweepWithin = 10 * time.Second // of these
	sweepAge    = 10 * time.Minute // longer than any Enqueue takes
)

// Sweep deletes large inputs that are older than age and belong neither to an enqueued task nor to
// a dead letter, and returns how many. They are left over if a process is killed while it enqueues
// or finishes a task. Workers do this about once an hour, and clients when there is no room for
// another input. Ages are by the clock of NATS.
func (c *Client) Sweep(ctx context.Context, age time.Duration) (int, error) {
	s := c.inputs()
	list, err := s.List(ctx)
	if errors.Is(err, jetstream.ErrNoObjectsFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("recyclingnats: sweep: %w", err)
	}
	stream, err := c.js.Stream(ctx, "OBJ_"+c.c.inputBucket())
	if err != nil {
		return 0, fmt.Errorf("recyclingnats: sweep: %w", err)
	}
	now := stream.CachedInfo().TimeStamp
	n := 0
	for _, o := range list {
		id, _, _ := strings.Cut(o.Name, ".")
		if now.Sub(o.ModTime) < age || !task.ValidName(id) {
			continue
		}
		used, err := c.used(ctx, id)
		if err != nil {
			return n, fmt.Errorf("recyclingnats: sweep: %w", err)
		}
		if used {
			continue
		}
		if err := s.Delete(ctx, o.Name); err != nil {
			return n, fmt.Errorf("recyclingnats: sweep: %w", err)
		}
		n++
	}
	return n, nil
}

// used reports whether there is a message of a task. It looks at dead letters twice, because a task
// may have been enqueued again, or buried, between the questions.
func (c *Client) used(ctx context.Context, id string) (bool, error) {
	for range 2 {
		if _, _, err := c.deadLetter(ctx, id); !errors.Is(err, ErrNotFound) {
			return err == nil, err
		}
		if _, err := c.queued(ctx, id); !errors.Is(err, ErrNotFound) {
			return err == nil, err
		}
	}
	return false, nil
}

// sweepNow, which a worker asks at an interval, reports whether to sweep: about once an hour.
func sweepNow(interval time.Duration) bool { return rand.N(sweepEvery) < interval }

// sweep runs in the background of a worker.
func (w *Worker) sweep(ctx context.Context) {
	defer w.count.Done()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	w.client.sweep(ctx)
}

// sweepSoon sweeps in the background, unless that was done less than a minute ago. Close waits for
// it.
func (c *Client) sweepSoon() {
	now := time.Since(epoch)
	last := c.swept.Load()
	if last != 0 && now-time.Duration(last) < sweepPause || !c.swept.CompareAndSwap(last, int64(now)) {
		return
	}
	if c.enter() == nil {
		go c.sweepOnce()
	}
}

func (c *Client) sweepOnce() {
	defer c.leave()
	ctx, cancel := context.WithTimeout(context.Background(), sweepWithin)
	defer cancel()
	c.sweep(ctx)
}

func (c *Client) sweep(ctx context.Context) {
	n, err := c.Sweep(ctx, max(sweepAge, 2*c.c.Wait))
	switch {
	case err != nil && ctx.Err() == nil:
		c.log.Warn("recyclingnats: cannot look for inputs that are left over", "error", err)
	case n > 0:
		c.log.Info("recyclingnats: deleted inputs that were left over", "count", n)
	}
}
