package offload

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

var (
	// ErrFull is the reason for shedding a call when the queue is full.
	ErrFull = errors.New("queue is full")

	// ErrWait is the reason for shedding a call when no worker became free for it within
	// Config.Wait, or Config.Timeout if that is shorter.
	ErrWait = errors.New("waited too long for a worker")

	// ErrClosed is the reason if a call was made after Shutdown or Close, was waiting when Close
	// was called, or had a task that was still running then.
	ErrClosed = errors.New("pool is closed")

	// ErrBroken reports that a resource has failed: a task of [Use] returns an error that wraps it.
	// The resource is then closed, and built anew for the next task.
	ErrBroken = errors.New("offload: resource is broken")
)

// A ShedError is the error of a call that got no worker, or lost it through Close.
type ShedError struct {
	Reason     error         // ErrFull, ErrWait or ErrClosed
	RetryAfter time.Duration // Config.RetryAfter
}

func (e *ShedError) Error() string { return "offload: " + e.Reason.Error() }

// Unwrap returns e.Reason.
func (e *ShedError) Unwrap() error { return e.Reason }

// RetryAfter returns the value of the Retry-After header for an error of [Pool.Admit], [Do] or
// [Use]: seconds, rounded up. If err does not wrap a [*ShedError] it returns "".
func RetryAfter(err error) string {
	var shed *ShedError
	if !errors.As(err, &shed) {
		return ""
	}
	n := int64(shed.RetryAfter / time.Second)
	if shed.RetryAfter%time.Second > 0 {
		n++
	}
	return strconv.FormatInt(n, 10)
}

// A Panic is the value that [Do] and [Use] panic with if the task has panicked. The task ran on
// another goroutine, whose stack would be lost otherwise. [http.ErrAbortHandler] is passed on
// unchanged.
type Panic struct {
	Value any    // of the task's panic
	Stack []byte // of the task, in the format of runtime/debug.Stack
}

func (p *Panic) Error() string {
	return fmt.Sprintf("%v [in an offloaded task]\n\n%s", p.Value, p.Stack)
}

// Unwrap returns p.Value if that is an error, and nil otherwise.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// raise panics with p, or with http.ErrAbortHandler if that is p's value.
func (p *Panic) raise() {
	if p.Value == http.ErrAbortHandler {
		panic(http.ErrAbortHandler)
	}
	panic(p)
}
