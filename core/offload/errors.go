package offload

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

var (
	// ErrFull is the reason of a call that was shed because as many calls wait as may.
	ErrFull = errors.New("queue is full")

	// ErrWait is the reason of a call that was shed because no worker was free for it within Config.Wait, or
	// Config.Timeout if that is shorter.
	ErrWait = errors.New("waited too long for a worker")

	// ErrClosed is the reason of a call that came after Shutdown or Close, waited when Close was called, or whose task
	// did not end before Close.
	ErrClosed = errors.New("pool is closed")

	// ErrBroken is for errors of tasks that [Use] runs: one that wraps it says that the resource has failed. It is
	// then closed, and built anew for the next task.
	ErrBroken = errors.New("offload: resource is broken")
)

// A ShedError is the error of a call that got no worker, or lost it by Close.
type ShedError struct {
	Reason     error         // ErrFull, ErrWait or ErrClosed
	RetryAfter time.Duration // Config.RetryAfter
}

func (e *ShedError) Error() string { return "offload: " + e.Reason.Error() }

// Unwrap returns e.Reason.
func (e *ShedError) Unwrap() error { return e.Reason }

// RetryAfter returns the value of the header Retry-After for an error of [Pool.Admit], [Do] or [Use]: seconds, rounded
// up. If err does not wrap a [*ShedError] it returns "".
func RetryAfter(err error) string {
	var shed *ShedError
	if !errors.As(err, &shed) {
		return ""
	}
	return strconv.FormatInt(int64((shed.RetryAfter+time.Second-1)/time.Second), 10)
}

// A Panic is what [Do] and [Use] panic with if the task has panicked. The task was on another goroutine, whose stack
// would be lost otherwise. [http.ErrAbortHandler] is passed on as it is.
type Panic struct {
	Value any    // of the task's panic
	Stack []byte // of the task, as runtime/debug.Stack has it
}

func (p *Panic) Error() string {
	return fmt.Sprintf("%v [in an offloaded task]\n\n%s", p.Value, p.Stack)
}

// Unwrap returns p.Value if that is an error, else nil.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// raise panics with p, or what p stands for.
func (p *Panic) raise() {
	if p.Value == http.ErrAbortHandler {
		panic(http.ErrAbortHandler)
	}
	panic(p)
}
