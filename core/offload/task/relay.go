package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/recycling-go/recycling/core/offload"
)

// RunAt is like [Set.Run], but runs the task at p. It is for a [Place] that passes on calls which
// it got from another process, for example to child processes. If p has no room, the Outcome is
// Failed.
func (s *Set) RunAt(ctx context.Context, p Place, name string, input []byte, w io.Writer) Outcome {
	e := s.tasks[name]
	if e == nil {
		return Outcome{Kind: Unknown, Message: name}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &relayed{encoded: input}
	c.entry, c.body = e, c
	if e.streams {
		c.stream = &gate{w: w, cancel: cancel}
		defer c.stream.close()
	}
	ended := make(chan Outcome)
	go c.relay(ctx, p, ended) // because Do may call runtime.Goexit
	return <-ended
}

// A relayed is a call whose caller is elsewhere.
type relayed struct {
	Job
	encoded []byte
	result  []byte
}

func (c *relayed) relay(ctx context.Context, p Place, ended chan<- Outcome) {
	o := Outcome{Kind: Exited}
	defer func() {
		if o.Kind == Exited {
			switch v := recover().(type) {
			case nil:
			case *offload.Panic:
				o = Outcome{Kind: Panicked, Message: fmt.Sprint(v.Value), Stack: v.Stack}
			default:
				o = Outcome{Kind: Panicked, Message: fmt.Sprint(v)}
				if v == http.ErrAbortHandler {
					o = Outcome{Kind: Aborted}
				}
			}
		}
		ended <- o
	}()
	err := p.Do(ctx, &c.Job)
	switch {
	case err == nil: // otherwise the task may still run, and own the result
		o = Outcome{Kind: Returned, Output: c.result}
	case errors.Is(err, ErrLost):
		o = Outcome{Kind: Lost, Message: err.Error()}
	case errors.Is(err, ErrUnknown):
		o = Outcome{Kind: Unknown, Message: c.Name()}
	default:
		o = outcomeOf(nil, err)
	}
}

func (c *relayed) input() ([]byte, error) { return c.encoded, nil }

func (c *relayed) output(b []byte) error {
	c.result = b
	return nil
}

func (c *relayed) here(ctx context.Context, w io.Writer) (err error) {
	c.result, err = c.entry.run(ctx, c.encoded, w)
	return err
}
