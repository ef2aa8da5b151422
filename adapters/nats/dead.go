package recyclingnats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/recycling-go/recycling/core/offload/task"
)

// A DeadLetter is an enqueued task that was given up.
type DeadLetter struct {
	ID       string    `json:"id"`
	Task     string    `json:"task"`
	Attempts int       `json:"attempts"`
	Code     string    `json:"code,omitempty"` // of the error of the last attempt
	Message  string    `json:"message"`        // the text of that error
	Enqueued time.Time `json:"enqueued"`
	Died     time.Time `json:"died"`

	// Sequence is the place of the letter among all others.
	Sequence uint64 `json:"sequence"`
}

const (
	headerAttempts = "Attempts"
	headerCode     = "Code"
	headerMessage  = "Message"
	headerPlace    = "Place" // of the message that was given up, in the stream of tasks
	maxHeader      = 1 << 10
	maxList        = 1000
)

// bury makes a dead letter of the task: first a copy, then the record, then the end of the message,
// so that at any time at least one of them exists. If the worker is lost in between, the next one
// does it again; a second copy replaces the first, since it has the same subject. rec is the record
// as it was loaded or stored last: if it has changed since then, because another attempt has begun
// or ended, the message belongs to that.
func (r *jobRun) bury(rec record) {
	c := r.w.client
	ctx, cancel := context.WithTimeout(context.Background(), stateWithin)
	defer cancel()
	now, err := c.load(ctx, r.id)
	switch {
	case err != nil: // as in again
		return
	case now.State.final():
		r.finish(now.State)
		return
	case now.revision != rec.revision:
		return
	}
	place, err := r.copyAsDead(ctx, rec)
	if err != nil {
		c.log.Error("recyclingnats: cannot store a dead letter", "task", r.name, "id", r.id, "error", err)
		r.nak(maxBackoff / 2)
		return
	}
	rec.State, rec.Output, rec.Object = Dead, nil, ""
	if err = c.store(ctx, r.id, &rec); conflict(err) {
		if now, err = c.load(ctx, r.id); err == nil && now.State != Dead {
			c.unbury(ctx, place)
		}
		return
	}
	if err != nil {
		r.nak(time.Second)
		return
	}
	c.log.Error("recyclingnats: task was given up",
		"task", r.name, "id", r.id, "attempts", rec.Attempt, "error", rec.Message)
	r.finish(Dead)
}

// unbury deletes a dead letter, but nothing else.
func (c *Client) unbury(ctx context.Context, place uint64) {
	if s, err := c.js.Stream(ctx, c.c.deadStream()); err == nil {
		_ = s.DeleteMsg(ctx, place)
	}
}

// copyAsDead returns the place of the copy in its stream.
func (r *jobRun) copyAsDead(ctx context.Context, rec record) (uint64, error) {
	c := r.w.client
	m := nats.NewMsg(c.c.deadSubject(r.g.name, r.name, r.id))
	m.Data = r.m.Data
	m.Header.Set(headerAttempts, strconv.Itoa(rec.Attempt))
	m.Header.Set(headerCode, headerText(rec.Code))
	m.Header.Set(headerMessage, headerText(rec.Message))
	if meta, err := r.m.Metadata(); err == nil {
		m.Header.Set(headerPlace, strconv.FormatUint(meta.Sequence.Stream, 10))
	}
	ack, err := c.js.PublishMsg(ctx, m)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

func headerText(s string) string {
	s = s[:min(len(s), maxHeader)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// Dead returns up to limit dead letters, oldest first, from a sequence on: the one after the last
// letter of the answer before. A limit above 1000 is 1000.
func (c *Client) Dead(ctx context.Context, from uint64, limit int) ([]DeadLetter, error) {
	s, err := c.js.Stream(ctx, c.c.deadStream())
	if err != nil {
		return nil, err
	}
	list := []DeadLetter{}
	for from = max(from, 1); len(list) < min(limit, maxList); from = list[len(list)-1].Sequence + 1 {
		m, err := s.GetMsg(ctx, from, jetstream.WithGetMsgSubject(c.c.dead()+".>"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		list = append(list, letter(m))
	}
	return list, nil
}

func letter(m *jetstream.RawStreamMsg) DeadLetter {
	_, name, id := address(m.Subject)
	var j job
	_ = j.decode(m.Data) // what cannot be decoded was given up for that reason
	attempts, _ := strconv.Atoi(m.Header.Get(headerAttempts))
	return DeadLetter{
		ID: id, Task: name, Attempts: attempts,
		Code: m.Header.Get(headerCode), Message: m.Header.Get(headerMessage),
		Enqueued: j.enqueued, Died: m.Time, Sequence: m.Sequence,
	}
}

func (c *Client) deadLetter(ctx context.Context, id string) (jetstream.Stream, *jetstream.RawStreamMsg, error) {
	if !task.ValidName(id) {
		return nil, nil, ErrNotFound
	}
	s, err := c.js.Stream(ctx, c.c.deadStream())
	if err != nil {
		return nil, nil, err
	}
	m, err := s.GetLastMsgForSubject(ctx, c.c.deadSubject("*", "*", id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		err = fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return s, m, err
}

// RetryDead enqueues a dead letter again, with the same id and all its attempts. The error wraps
// [ErrNotFound] if there is none with that id.
func (c *Client) RetryDead(ctx context.Context, id string) error {
	s, m, err := c.deadLetter(ctx, id)
	if err != nil {
		return err
	}
	group, name, _ := address(m.Subject)
	rec, err := c.change(ctx, id, func(r *record) bool {
		if r.State == Done || r.Deleted {
			return false
		}
		*r = record{Task: name, State: Queued, revision: r.revision}
		return true
	})
	switch {
	case err != nil:
		return err
	case rec.Deleted:
		return fmt.Errorf("%w: %s is being deleted", ErrNotFound, id)
	case rec.State != Done:
		if err := c.enqueueDead(ctx, c.c.jobSubject(group, name, id), m); err != nil {
			return err
		}
	}
	return deleted(s.DeleteMsg(ctx, m.Sequence))
}

// enqueueDead enqueues the task of a dead letter. The message that was given up may still be there,
// and its worker about to end it, so it is no substitute for a new one.
func (c *Client) enqueueDead(ctx context.Context, subject string, letter *jetstream.RawStreamMsg) error {
	for {
		_, err := c.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: letter.Data})
		if !duplicate(err) {
			return err
		}
		s, err := c.js.Stream(ctx, c.c.jobStream())
		if err != nil {
			return err
		}
		old, err := s.GetLastMsgForSubject(ctx, subject)
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			continue
		case err != nil:
			return err
		case strconv.FormatUint(old.Sequence, 10) != letter.Header.Get(headerPlace):
			return nil // it has been enqueued again already
		}
		if err := deleted(s.DeleteMsg(ctx, old.Sequence)); err != nil {
			return err
		}
	}
}

// deleted is the error of deleting a message, which somebody else may have done.
func deleted(err error) error {
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	return err
}

// DeleteDead deletes a dead letter with its input. The error wraps [ErrNotFound] if there is none
// with that id.
func (c *Client) DeleteDead(ctx context.Context, id string) error {
	s, m, err := c.deadLetter(ctx, id)
	if err != nil {
		return err
	}
	_, name, _ := address(m.Subject)
	// From here on it cannot be retried. If it has been retried before, it needs its input.
	rec, err := c.change(ctx, id, func(r *record) bool {
		if r.State != "" && r.State != Dead || r.Deleted {
			return false
		}
		r.Task, r.State, r.Deleted = name, Dead, true
		return true
	})
	if err != nil && !full(err) { // if it is full, Sweep deletes the input
		return err
	}
	if err := deleted(s.DeleteMsg(ctx, m.Sequence)); err != nil {
		return err
	}
	var j job
	if err == nil && rec.State.final() && j.decode(m.Data) == nil {
		c.removeInput(ctx, j.object)
	}
	return nil
}
