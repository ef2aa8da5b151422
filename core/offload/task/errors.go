package task

import (
	"context"
	"errors"

	"github.com/recycling-go/recycling/core/offload"
)

var (
	// ErrLost reports that the worker that ran a task has ended, or cannot be reached any more. The
	// task may have run in part, or in full.
	ErrLost = errors.New("task: worker was lost")

	// ErrUnknown reports that the place does not know the task: its workers run another version of
	// the program, or its configuration leaves the task out.
	ErrUnknown = errors.New("task: unknown task")

	// ErrSlots reports that a task needs more slots than any worker has.
	ErrSlots = offload.ErrSlots

	// ErrLeft is the error of a Write by a streaming task whose caller has left.
	ErrLeft = errors.New("task: caller has left")
)

// CodeInput is the Code of an Error that says that the input cannot be decoded.
const CodeInput = "input"

// An Error is the error that a task returned. A task may return one itself, to choose the code. It
// is the same wherever the task ran, but Unwrap returns the task's own error only if the task ran
// in this process.
type Error struct {
	Task    string // the name of the task; set by Do, whatever the task has set
	Code    string // what went wrong, for programs; empty if the task did not choose one
	Message string // what went wrong, for people

	err error
}

func (e *Error) Error() string {
	if e.Task == "" {
		return e.Message
	}
	return "task " + e.Task + ": " + e.Message
}

// Unwrap returns the error that the task returned, or nil if it is not known here.
func (e *Error) Unwrap() error { return e.err }

// wrap returns the error that the caller gets if the task has returned err.
func (e *entry) wrap(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var own *Error
	if errors.As(err, &own) {
		return &Error{Task: e.name, Code: own.Code, Message: own.Message, err: err}
	}
	return &Error{Task: e.name, Message: err.Error(), err: err}
}
