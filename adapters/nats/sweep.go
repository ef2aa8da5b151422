package recyclingnats

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	sweepEvery = time.Hour
	sweepAge   = time.Hour // longer than any Enqueue takes
)

// Sweep deletes large inputs that are older than age and belong neither to an enqueued task nor to
// a dead letter, and returns how many. They are left over if a process is killed while it enqueues
// or finishes a task. Workers do this about once an hour, with an age of an hour.
func (c *Client) Sweep(ctx context.Context, age time.Duration) (int, error) {
	c.stock.mu.Lock()
	s := c.stock.inputs
	c.stock.mu.Unlock()
	list, err := s.List(ctx)
	if errors.Is(err, jetstream.ErrNoObjectsFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("recyclingnats: sweep: %w", err)
	}
	n := 0
	for _, o := range list {
		id, _, _ := strings.Cut(o.Name, ".")
		if time.Since(o.ModTime) < age || !validName(id) {
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

// sweepNow reports whether it is time for a worker to sweep: about once an hour.
func sweepNow() bool { return rand.N(sweepEvery) < beatEvery }

// sweep runs in the background of a worker.
func (w *Worker) sweep(ctx context.Context) {
	defer w.count.Done()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	n, err := w.client.Sweep(ctx, sweepAge)
	switch {
	case err != nil && ctx.Err() == nil:
		w.client.log.Warn("recyclingnats: cannot look for inputs that are left over", "error", err)
	case n > 0:
		w.client.log.Info("recyclingnats: deleted inputs that were left over", "count", n)
	}
}
