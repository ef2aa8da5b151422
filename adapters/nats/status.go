package recyclingnats

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/recycling-go/recycling/core/offload/task"
)

// ErrNotFound reports that there is no enqueued task with an id, or that Config.Keep has passed
// since it ended.
var ErrNotFound = errors.New("recyclingnats: no such task")

// ErrNotDone reports that an enqueued task has no result yet.
var ErrNotDone = errors.New("recyclingnats: the task is not done")

// A Status is what is known of an enqueued task.
type Status struct {
	ID      string    `json:"id"`
	Task    string    `json:"task"`
	State   State     `json:"state"`
	Attempt int       `json:"attempt"`           // the last that has begun, counted from one
	Code    string    `json:"code,omitempty"`    // of the error of the last attempt that failed
	Message string    `json:"message,omitempty"` // the text of that error
	Changed time.Time `json:"changed,omitzero"`  // when its state changed last; zero if it was never begun
}

// Status returns the state of an enqueued task. The error wraps [ErrNotFound] if there is none.
func (c *Client) Status(ctx context.Context, id string) (Status, error) {
	s, _, err := c.status(ctx, id)
	return s, err
}

func (c *Client) status(ctx context.Context, id string) (Status, record, error) {
	if !task.ValidName(id) {
		return Status{}, record{}, ErrNotFound
	}
	for try := 0; ; try++ {
		r, err := c.load(ctx, id)
		if err != nil {
			return Status{}, r, err
		}
		if r.State != "" {
			return Status{
				ID: id, Task: r.Task, State: r.State, Attempt: r.Attempt, Code: r.Code, Message: r.Message, Changed: r.Changed,
			}, r, nil
		}
		name, err := c.queued(ctx, id)
		if err == nil {
			return Status{ID: id, Task: name, State: Queued}, r, nil
		}
		// It may have begun and ended between the two questions.
		if !errors.Is(err, ErrNotFound) || try > 0 {
			return Status{}, r, err
		}
	}
}

// queued returns the name of a task that is in the stream.
func (c *Client) queued(ctx context.Context, id string) (name string, err error) {
	s, err := c.js.Stream(ctx, c.c.jobStream())
	if err != nil {
		return "", err
	}
	m, err := s.GetLastMsgForSubject(ctx, c.c.jobSubject("*", "*", id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", err
	}
	_, name, _ = address(m.Subject)
	return name, nil
}

// Result returns the encoded output of an enqueued task that is done, for [task.Task.Decode]. The
// error wraps [ErrNotFound] if there is no such task, [ErrNotDone] if it has not ended, and is a
// [*task.Error] if it was given up.
func (c *Client) Result(ctx context.Context, id string) ([]byte, error) {
	s, r, err := c.status(ctx, id)
	if err != nil {
		return nil, err
	}
	switch s.State {
	case Done:
		if r.Object == "" {
			return r.Output, nil
		}
		b, err := c.outputs().GetBytes(ctx, r.Object)
		if errors.Is(err, jetstream.ErrObjectNotFound) {
			return nil, ErrNotFound
		}
		return b, err
	case Dead:
		return nil, &task.Error{Task: s.Task, Code: s.Code, Message: s.Message}
	}
	return nil, ErrNotDone
}
