package recyclingnats

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

// EnqueueOptions are those of one enqueued task.
type EnqueueOptions struct {
	// Key identifies the task among all tasks of its name: if one with the same key has been
	// enqueued within Config.Keep, be it done or not, Enqueue returns its id and does nothing else.
	// Empty means that the task is different from all others.
	Key string
}

// A Named is a [task.Task] or a [task.Stream].
type Named interface {
	Name() string
	Options() task.Options
}

// Enqueue stores a task, to be run as soon as a worker has room for it, and returns its id.
// [Client.Status] returns what has become of it. The task is run at least once; again if the worker
// is lost, or if it fails, up to Config.Attempts.
//
// The error is an [*offload.ShedError] with the reason [offload.ErrFull] if there is no room, or
// [ErrAway] if NATS cannot be reached: then the task has probably not been enqueued, and can be
// enqueued again with the same key. It is the context's error if ctx ends before.
func Enqueue[In, Out any](ctx context.Context, c *Client, t *task.Task[In, Out], in In, o EnqueueOptions) (id string, err error) {
	input, err := t.Encode(in)
	if err != nil {
		return "", err
	}
	return c.Enqueue(ctx, t, input, o)
}

// Enqueue is like the function Enqueue, for an input that is encoded already. The task must not be
// a Stream.
func (c *Client) Enqueue(ctx context.Context, t Named, input []byte, o EnqueueOptions) (id string, err error) {
	if err := c.enter(); err != nil {
		return "", err
	}
	defer c.leave()
	if !task.ValidName(t.Name()) {
		return "", fmt.Errorf("recyclingnats: name of a task is %q, want 1 to %d letters, digits, _ and -", t.Name(), task.MaxName)
	}
	id = rand.Text() // whoever knows it may ask for the result
	if o.Key != "" {
		id = keyID(t.Name(), o.Key)
	}
	limit := c.c.Wait
	if limit < 0 {
		limit = time.Minute
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	e := &enqueuing{c: c, task: t, id: id, keyed: o.Key != "", input: input}
	for {
		err = e.try(limited)
		switch {
		case err == nil:
			return id, nil
		case ctx.Err() != nil:
			e.tidy()
			return "", ctx.Err()
		case errors.Is(err, offload.ErrFull), errors.Is(err, errTooLarge):
			e.tidy()
			return "", err
		case errors.Is(err, jetstream.ErrNoStreamResponse), errors.Is(err, jetstream.ErrStreamNotFound):
			_ = c.restore(limited)
		}
		if !sleep(limited, 50*time.Millisecond) {
			e.tidy()
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			c.log.Warn("recyclingnats: cannot enqueue", "task", t.Name(), "error", err)
			return "", c.shed(ErrAway)
		}
	}
}

var errTooLarge = errors.New("recyclingnats: input is too large")

// An enqueuing is one call of Enqueue.
type enqueuing struct {
	c     *Client
	task  Named
	id    string
	keyed bool
	input []byte

	object string // the name of a large input
	stored bool   // the object is complete
	sent   bool   // a message that names it may be in the stream
}

func (e *enqueuing) try(ctx context.Context) error {
	c := e.c
	if e.keyed {
		r, err := c.load(ctx, e.id)
		if err != nil {
			return err
		}
		if r.State.final() {
			e.tidy()
			return nil
		}
		if r.State != "" {
			// It is in the stream, unless a process was killed while it enqueued a dead letter
			// again.
			switch _, err := c.queued(ctx, e.id); {
			case err == nil:
				e.tidy()
				return nil
			case !errors.Is(err, ErrNotFound):
				return err
			}
		}
	}
	j := job{enqueued: time.Now(), input: e.input}
	if len(e.input) > c.chunk {
		if err := e.storeInput(ctx); err != nil {
			return err
		}
		j.object, j.input = e.object, nil
	}
	subject := c.c.jobSubject(c.c.group(e.task.Name(), e.task.Options()), e.task.Name(), e.id)
	_, err := c.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: j.encode()}, jetstream.WithRetryAttempts(0))
	if err == nil {
		return nil
	}
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		e.sent = true
		return err
	}
	switch {
	case duplicate(err):
		if err := c.accepted(ctx, e.id); err != nil {
			return err
		}
		e.tidy()
		return nil
	case full(err):
		return c.shed(offload.ErrFull)
	}
	return err
}

// storeInput stores a large input, once.
func (e *enqueuing) storeInput(ctx context.Context) error {
	if e.stored {
		return nil
	}
	if limit := e.c.c.BacklogBytes; int64(len(e.input)) > limit {
		return fmt.Errorf("%w: %d bytes, and BacklogBytes is %d", errTooLarge, len(e.input), limit)
	}
	if e.object == "" {
		e.object = e.id + "." + nuid.Next()
	}
	err := e.c.putInput(ctx, e.object, e.input)
	e.stored = err == nil
	return err
}

// tidy removes the input if no message names it. If that is not known, or fails, Sweep does it.
func (e *enqueuing) tidy() {
	if e.object == "" || e.sent {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), tidyWithin)
	defer cancel()
	e.c.removeInput(ctx, e.object)
}

const tidyWithin = time.Second

// accepted returns nil if a task that is a duplicate is stored. The answer that it is one counts
// messages that the leader has not stored yet, and loses if it fails now.
func (c *Client) accepted(ctx context.Context, id string) error {
	_, err := c.queued(ctx, id)
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	r, err := c.load(ctx, id) // it may have been done meanwhile
	if err == nil && !r.State.final() {
		err = errUnstored
	}
	return err
}

var errUnstored = errors.New("recyclingnats: an earlier message of the task is not stored yet")

// duplicate reports whether an error of JetStream says that a stream has a message of the same
// subject already. The error has no code of its own.
func duplicate(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.Description == "maximum messages per subject exceeded"
}

// putObject stores an object, and reads it back. That is necessary: Put sends chunks without
// waiting for confirmations, and those for which the stream had no leader again later, so that it
// may store chunks in another order, and report no error.
func putObject(ctx context.Context, s jetstream.ObjectStore, name string, b []byte) error {
	if _, err := s.Put(ctx, jetstream.ObjectMeta{Name: name}, bytes.NewReader(b)); err != nil {
		return err
	}
	r, err := s.Get(ctx, name)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil { // it compares the digest at the end
		return fmt.Errorf("object %s: %w", name, err)
	}
	return nil
}

func (c *Client) putInput(ctx context.Context, name string, input []byte) error {
	err := putObject(ctx, c.inputs(), name, input)
	if full(err) {
		c.sweepSoon()
		return c.shed(offload.ErrFull)
	}
	return err
}

func (c *Client) removeInput(ctx context.Context, name string) {
	if name == "" {
		return
	}
	_ = c.inputs().Delete(ctx, name) // otherwise sweep does it
}
