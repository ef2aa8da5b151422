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
)

// A DeadLetter is an enqueued task that was given up.
type DeadLetter struct {
	ID       string    `json:"id"`
	Task     string    `json:"task"`
	Attempts int       `json:"attempts"`
	Code     string    `json:"code,omitempty"` // of the error of the last attempt
	Message  string    `json:"message"`        // the same for people
	Enqueued time.Time `json:"enqueued"`
	Died     time.Time `json:"died"`

	// Sequence is the place of the letter among all others.
	Sequence uint64 `json:"sequence"`
}

const (
	headerAttempts = "Attempts"
	headerCode     = "Code"
	headerMessage  = "Message"
	maxHeader      = 1 << 10
	maxList        = 1000
)

// bury makes a dead letter of the task: first a copy, then the record, then the end of the message,
// so that at any time at least one of them exists. If the worker is lost in between, the next one
// does it again; a second copy replaces the first, since it has the same subject.
func (r *jobRun) bury(rec record) {
	ctx, cancel := context.WithTimeout(context.Background(), stateWithin)
	defer cancel()
	if err := r.copyAsDead(ctx, rec); err != nil {
		r.w.client.log.Error("recyclingnats: cannot store a dead letter", "task", r.name, "id", r.id, "error", err)
		r.nak(maxBackoff / 2)
		return
	}
	final, err := r.w.client.change(ctx, r.id, func(now *record) bool {
		if now.State == Done {
			return false // another attempt has succeeded after all
		}
		revision := now.revision
		*now = rec
		now.revision, now.State, now.Output, now.Object = revision, Dead, nil, ""
		return true
	})
	if err != nil {
		r.nak(time.Second)
		return
	}
	r.record = final
	if final.State == Done {
		_ = r.w.client.DeleteDead(ctx, r.id)
	} else {
		r.w.client.log.Error("recyclingnats: task was given up",
			"task", r.name, "id", r.id, "attempts", rec.Attempt, "error", rec.Message)
	}
	r.finish()
}

func (r *jobRun) copyAsDead(ctx context.Context, rec record) error {
	m := nats.NewMsg(r.w.client.c.deadSubject(r.group, r.name, r.id))
	m.Data = r.m.Data
	m.Header.Set(headerAttempts, strconv.Itoa(rec.Attempt))
	m.Header.Set(headerCode, headerText(rec.Code))
	m.Header.Set(headerMessage, headerText(rec.Message))
	_, err := r.w.client.js.PublishMsg(ctx, m)
	return err
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
	if !validName(id) {
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
	_, err = c.change(ctx, id, func(r *record) bool {
		if r.State == Done {
			return false
		}
		*r = record{Task: name, State: Queued, revision: r.revision}
		return true
	})
	if err != nil {
		return err
	}
	_, err = c.js.PublishMsg(ctx, &nats.Msg{Subject: c.c.jobSubject(group, name, id), Data: m.Data})
	var api *jetstream.APIError
	if errors.As(err, &api) && duplicate(api) {
		err = c.accepted(ctx, id)
	}
	if err != nil {
		return err
	}
	err = s.DeleteMsg(ctx, m.Sequence)
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
	if err := s.DeleteMsg(ctx, m.Sequence); err != nil {
		return err
	}
	var j job
	if j.decode(m.Data) == nil {
		c.removeInput(ctx, j.object)
	}
	return nil
}
