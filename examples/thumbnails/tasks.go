package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/recycling-go/recycling/core/offload/child"
	"github.com/recycling-go/recycling/core/offload/task"
)

// tasks are registered here, once, for all places.
var tasks task.Set

// maxTime is how long a task may take, including its time in the queue.
const maxTime = time.Minute

var (
	// shrinking makes a thumbnail, for a caller that waits for it or for one that asks later.
	shrinking = task.Register(&tasks, "shrink", func(ctx context.Context, picture []byte) (thumbnail, error) {
		t, err := shrink(ctx, picture, func(int) error { return nil })
		t.maker = thisMaker()
		return t, err
	}, task.Options{Idempotent: true, Timeout: maxTime})

	// following does the same, and tells its caller how far it is: it writes an event in each line.
	following = task.RegisterStream(&tasks, "follow", follow,
		task.Options{Encoding: task.Bytes, Idempotent: true, Timeout: maxTime})
)

// An event is a line of the stream, as JSON. One of its fields is set. The last event has a
// thumbnail or a problem; a stream without one was cut off.
type event struct {
	Maker     *maker     `json:"maker,omitempty"`   // first
	Percent   int        `json:"percent,omitempty"` // that is done
	Thumbnail *thumbnail `json:"thumbnail,omitempty"`
	Problem   string     `json:"problem,omitempty"` // with the picture
}

// step is how much progress is worth an event, in percent.
const step = 5

func follow(ctx context.Context, picture []byte, w io.Writer) error {
	m := thisMaker()
	if err := send(w, event{Maker: &m}); err != nil {
		return err
	}
	last := 0
	t, err := shrink(ctx, picture, func(percent int) error {
		if percent < last+step {
			return nil
		}
		last = percent
		return send(w, event{Percent: percent})
	})
	if text := problem(err); text != "" {
		if err := send(w, event{Problem: text}); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	t.maker = m
	return send(w, event{Thumbnail: &t})
}

func send(w io.Writer, e event) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// problem returns what is wrong with the picture, for its owner, or "" if err is another error, or
// nil.
func problem(err error) string {
	var own *task.Error
	if errors.As(err, &own) && own.Code == task.CodeInput {
		return own.Message
	}
	return ""
}

// A maker is who made a thumbnail.
type maker struct {
	Place string `json:"place"`
	Host  string `json:"host"`
	PID   int    `json:"pid"`
}

// chosen is the place that this process was started for.
var chosen string

func thisMaker() maker {
	m := maker{Place: chosen, PID: os.Getpid()}
	if child.Is() { // it has not read the settings
		m.Place = inChildren
	}
	m.Host, _ = os.Hostname()
	return m
}

func (m maker) String() string { return fmt.Sprintf("%s, process %d on %s", m.Place, m.PID, m.Host) }
