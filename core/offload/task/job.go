package task

import (
	"context"
	"io"
	"sync/atomic"
)

// A Place is where tasks run: in this process ([Local]), in child processes, or on other machines.
// Its methods may be called by several goroutines at once.
type Place interface {
	// Do runs a job and returns when it has ended, or when the caller has to be released because
	// ctx has ended. The errors are those of [Task.Do]. Do must not use the job after it has
	// returned, except for [Job.Run] and [Job.Begin]. If the task runs elsewhere than on the
	// caller's goroutine, Do waits as in [offload.Waiting].
	Do(ctx context.Context, j *Job) error
}

// A Job is one call of a task, as a [Place] sees it.
type Job struct {
	entry  *entry
	body   body
	stream *gate // nil unless the task is a Stream

	// For Observe.
	watched atomic.Bool
	runs    atomic.Int32 // how often the task has begun
	begun   atomic.Int64 // when it did so last: see observe.Now
}

// A body is the part of a call that knows its types.
type body interface {
	input() ([]byte, error)                      // returns the encoded input
	output([]byte) error                         // decodes the output, for the caller
	here(ctx context.Context, w io.Writer) error // runs the task on this goroutine
}

// do runs the job at p, within the task's own timeout.
func (j *Job) do(ctx context.Context, p Place) error {
	if d := j.entry.options.Timeout; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	return p.Do(ctx, j)
}

// Name returns the name of the task.
func (j *Job) Name() string { return j.entry.name }

// Options returns the options of the task.
func (j *Job) Options() Options { return j.entry.options }

// Streams reports whether the task is a [Stream], which writes its output to the job.
func (j *Job) Streams() bool { return j.stream != nil }

// Input returns the encoded input. An error says that it cannot be encoded.
func (j *Job) Input() ([]byte, error) { return j.body.input() }

// SetOutput gives the encoded output to the caller. The error says that it cannot be decoded. It
// must not be called after [Place].Do has returned, nor for a Stream.
func (j *Job) SetOutput(b []byte) error { return j.body.output(b) }

// Write passes a part of a Stream's output to the caller. It blocks while the caller's writer does.
// When the caller has left it returns [ErrLeft]; if the caller's writer has failed, its error.
func (j *Job) Write(b []byte) (int, error) { return j.stream.Write(b) }

// Retry reports whether the job may be run again after the worker that ran it was lost: the task is
// idempotent, and the caller has got no part of the output.
func (j *Job) Retry() bool {
	return j.entry.options.Idempotent && (j.stream == nil || !j.stream.begun())
}

// Run runs the task on this goroutine, without encoding anything. The error is as in [Task.Do]; a
// panic of the task is not recovered.
func (j *Job) Run(ctx context.Context) error {
	j.Begin()
	return j.entry.wrap(j.body.here(ctx, j))
}
