package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/recycling-go/recycling/core/offload"
)

// A Kind says how a task has ended.
type Kind uint8

const (
	Returned Kind = iota // without an error
	Failed               // with an error
	Canceled             // with an error that wraps context.Canceled
	TimedOut             // with an error that wraps context.DeadlineExceeded
	Panicked             // with a panic
	Aborted              // with a panic of http.ErrAbortHandler
	Exited               // by runtime.Goexit
	Unknown              // it was not run: the Set does not have it
	Lost                 // its worker was lost: it may have run in part, or in full
	numKinds
)

// An Outcome is how a task has ended, in a form that can be sent to another process: each field is
// a number, text or bytes.
type Outcome struct {
	Kind    Kind   `json:"kind"`
	Output  []byte `json:"output,omitempty"`  // if Returned; encoded as Options.Encoding does
	Code    string `json:"code,omitempty"`    // if Failed: Error.Code
	Message string `json:"message,omitempty"` // of the error or of the panic's value
	Stack   []byte `json:"stack,omitempty"`   // if Panicked
}

// runTo runs the task and calls done with its outcome, whatever that is.
func (e *entry) runTo(ctx context.Context, input []byte, w io.Writer, done func(Outcome)) {
	o := Outcome{Kind: Exited}
	defer func() {
		if o.Kind == Exited {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				o.Kind = Aborted
			default:
				o = Outcome{Kind: Panicked, Message: fmt.Sprint(v), Stack: debug.Stack()}
			}
		}
		done(o)
	}()
	output, err := e.run(ctx, input, w)
	o = outcomeOf(output, e.wrap(err))
	if o.Kind == Failed && errors.Is(err, ErrLeft) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		// The caller may still be there, if its clock reaches the deadline a little later.
		o = Outcome{Kind: TimedOut, Message: o.Message}
	}
}

func outcomeOf(output []byte, err error) Outcome {
	var own *Error
	switch {
	case err == nil:
		return Outcome{Kind: Returned, Output: output}
	case errors.Is(err, context.DeadlineExceeded):
		return Outcome{Kind: TimedOut, Message: err.Error()}
	case errors.Is(err, context.Canceled):
		return Outcome{Kind: Canceled, Message: err.Error()}
	case errors.As(err, &own):
		return Outcome{Kind: Failed, Code: own.Code, Message: own.Message}
	}
	return Outcome{Kind: Failed, Message: err.Error()}
}

// Finish ends the call in the way in which the task has ended: it gives the output to the caller,
// returns the error, panics with an [*offload.Panic] whose Value is a text or with
// [http.ErrAbortHandler], or calls [runtime.Goexit]. A [Place] must call it on the goroutine that
// called Do, before Do returns.
func (j *Job) Finish(o Outcome) error {
	switch o.Kind {
	case Returned:
		if j.Streams() {
			return nil
		}
		return j.SetOutput(o.Output)
	case Failed:
		return &Error{Task: j.Name(), Code: o.Code, Message: o.Message}
	case Canceled:
		return context.Canceled
	case TimedOut:
		return context.DeadlineExceeded
	case Panicked:
		panic(&offload.Panic{Value: o.Message, Stack: o.Stack})
	case Aborted:
		panic(http.ErrAbortHandler)
	case Exited:
		runtime.Goexit()
	case Unknown:
		return fmt.Errorf("%w: %s", ErrUnknown, j.Name())
	case Lost:
		return fmt.Errorf("%w: %s: %s", ErrLost, j.Name(), o.Message)
	}
	return fmt.Errorf("task: %s ended in an unknown way: Kind is %d", j.Name(), o.Kind)
}
