package task

import (
	"context"
	"fmt"
	"io"
)

// A Task is a function with a name, an input and an output. [Register] creates it. Its methods may
// be called by several goroutines at once.
type Task[In, Out any] struct {
	entry entry
	f     func(context.Context, In) (Out, error)
}

// Register adds a task to s. f must respect its context: it ends when the caller has left, at the
// deadline, and when the place is closed. In and Out must be what Options.Encoding can encode: for
// [JSON], whatever package encoding/json can.
//
// Register panics if the name is not 1 to 64 letters, digits, _ and -, if s has it already, or if
// the options are wrong. It must not be called at the same time as other functions of s.
func Register[In, Out any](s *Set, name string, f func(context.Context, In) (Out, error), o Options) *Task[In, Out] {
	t := &Task[In, Out]{f: f}
	t.entry = entry{name: name, options: o, run: t.run}
	s.add(&t.entry)
	return t
}

// Name returns the name of the task.
func (t *Task[In, Out]) Name() string { return t.entry.name }

// Options returns the options of the task.
func (t *Task[In, Out]) Options() Options { return t.entry.options }

// Do runs the task at p and returns its result. If the task calls runtime.Goexit, so does Do. The
// error is, whatever p is:
//
//   - an [*Error] if the task returned an error. Its text, and the code that the task may have
//     chosen, are the same wherever it ran; the error itself can be unwrapped only if it ran in
//     this process;
//   - an [*offload.ShedError] if p has no room or is closed, or if the call waited too long for a
//     worker;
//   - the context's error if ctx has ended, and [context.DeadlineExceeded] if a Timeout has passed;
//   - an error that wraps [ErrLost] if the worker was lost;
//   - an error that wraps [ErrUnknown] if p's workers do not know the task, or [ErrSlots] if they
//     have fewer slots than it needs;
//   - any other error if the input cannot be encoded, or the output cannot be decoded.
//
// If the task panics, Do panics with an [*offload.Panic] that has the stack of the task.
//
// If Do returns because a context has ended, the task may still be reading in, or p may still be
// sending it: what in refers to must not be changed then.
func (t *Task[In, Out]) Do(ctx context.Context, p Place, in In) (Out, error) {
	c := &taskCall[In, Out]{task: t, in: in}
	c.Job.entry, c.Job.body = &t.entry, c
	if err := c.Job.do(ctx, p); err != nil {
		var zero Out
		return zero, err
	}
	return c.out, nil
}

// Encode returns in as the encoded input of the task, for a place that stores it. An error says
// that in cannot be encoded.
func (t *Task[In, Out]) Encode(in In) ([]byte, error) { return t.entry.encode(in) }

// Decode returns the output of the task from its encoded form. An error says that it cannot be
// decoded.
func (t *Task[In, Out]) Decode(output []byte) (out Out, err error) {
	err = t.entry.decode(output, &out)
	return out, err
}

func (t *Task[In, Out]) run(ctx context.Context, input []byte, _ io.Writer) ([]byte, error) {
	var in In
	if err := t.entry.decodeInput(input, &in); err != nil {
		return nil, err
	}
	out, err := t.f(ctx, in)
	if err != nil {
		return nil, err
	}
	return t.entry.encode(out)
}

// A taskCall is one call of Do. If the caller leaves while the task runs in this process, the task
// still owns in and out, and the caller does not touch them any more.
type taskCall[In, Out any] struct {
	Job
	task *Task[In, Out]
	in   In
	out  Out
}

func (c *taskCall[In, Out]) input() ([]byte, error) { return c.task.entry.encode(c.in) }

func (c *taskCall[In, Out]) output(b []byte) error { return c.task.entry.decode(b, &c.out) }

func (c *taskCall[In, Out]) here(ctx context.Context, _ io.Writer) (err error) {
	c.out, err = c.task.f(ctx, c.in)
	return err
}

func (e *entry) encode(v any) ([]byte, error) {
	b, err := e.options.Encoding.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("task: encoding %T for %s: %w", v, e.name, err)
	}
	return b, nil
}

// decodeInput decodes b, which another process may have sent. The error is an *Error.
func (e *entry) decodeInput(b []byte, v any) error {
	if err := e.options.Encoding.Unmarshal(b, v); err != nil {
		return &Error{Task: e.name, Code: CodeInput, Message: err.Error(), err: err}
	}
	return nil
}

func (e *entry) decode(b []byte, v any) error {
	if err := e.options.Encoding.Unmarshal(b, v); err != nil {
		return fmt.Errorf("task: decoding the output of %s: %w", e.name, err)
	}
	return nil
}
