package tasktest

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

// Tasks are the tasks that the workers of a place under test must run. It must not be changed.
var Tasks task.Set

var (
	echo      = task.Register(&Tasks, "echo", same[record], task.Options{})
	echoBytes = task.Register(&Tasks, "echo-bytes", same[[]byte], task.Options{Encoding: task.Bytes})
	echoGob   = task.Register(&Tasks, "echo-gob", same[record], task.Options{Encoding: gobEncoding{}})
	echoEmpty = task.Register(&Tasks, "echo-empty", same[struct{}], task.Options{})

	toUndecodable   = task.Register(&Tasks, "to-undecodable", same[undecodable], task.Options{})
	toUnencodable   = task.Register(&Tasks, "to-unencodable", same[chan int], task.Options{})
	fromUndecodable = task.Register(&Tasks, "from-undecodable", func(context.Context, int) (undecodable, error) { return "", nil }, task.Options{})
	fromUnencodable = task.Register(&Tasks, "from-unencodable", func(context.Context, int) (chan int, error) { return nil, nil }, task.Options{})

	ends      = task.Register(&Tasks, "ends", func(_ context.Context, how manner) (string, error) { return how.Text, how.end() }, task.Options{})
	remaining = task.Register(&Tasks, "remaining", untilDeadline, task.Options{})
	pause     = task.Register(&Tasks, "pause", pauseFor, task.Options{})
	warm      = task.Register(&Tasks, "warm", func(context.Context, struct{}) (bool, error) { return warmed.Load(), nil }, task.Options{
		Warm: func(context.Context) error { warmed.Store(true); return nil },
	})

	held         = task.Register(&Tasks, "held", heldTask, task.Options{})
	heldAgain    = task.Register(&Tasks, "held-idempotent", heldTask, task.Options{Idempotent: true})
	heldSlot     = task.Register(&Tasks, "held-slot", heldTask, task.Options{Slots: offload.Slots{"GPU": 1}})
	heldTwoSlots = task.Register(&Tasks, "held-two-slots", heldTask, task.Options{Slots: offload.Slots{"GPU": 2}})
	heldShort    = task.Register(&Tasks, "held-short", heldTask, task.Options{Timeout: 300 * time.Millisecond})

	chunks          = task.RegisterStream(&Tasks, "chunks", writeChunks, task.Options{})
	late            = task.RegisterStream(&Tasks, "late-chunks", writeLate, task.Options{})
	heldStream      = task.RegisterStream(&Tasks, "held-stream", heldWriter, task.Options{})
	heldStreamAgain = task.RegisterStream(&Tasks, "held-stream-idempotent", heldWriter, task.Options{Idempotent: true})
)

// stranger is a task that no worker knows.
var (
	strangers task.Set
	stranger  = task.Register(&strangers, "stranger", same[int], task.Options{})
)

var warmed atomic.Bool

func same[V any](_ context.Context, in V) (V, error) { return in, nil }

// A record has fields of several types.
type record struct {
	ID      int64
	Text    string
	Bytes   []byte
	Numbers []float64
	Map     map[string]int
	Time    time.Time
	Pointer *record
}

// An undecodable is encoded as JSON without an error, but cannot be decoded.
type undecodable string

var errUndecodable = errors.New("this is undecodable")

func (undecodable) MarshalJSON() ([]byte, error) { return json.Marshal("x") }
func (*undecodable) UnmarshalJSON([]byte) error  { return errUndecodable }

type gobEncoding struct{}

func (gobEncoding) Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func (gobEncoding) Unmarshal(b []byte, v any) error {
	return gob.NewDecoder(bytes.NewReader(b)).Decode(v)
}

// A manner says how a task ends.
type manner struct {
	How, Code, Text string
}

var errSentinel = errors.New("sentinel")

func (m manner) end() error {
	switch m.How {
	case "return":
		return nil
	case "error":
		return errors.New(m.Text)
	case "coded error":
		return &task.Error{Code: m.Code, Message: m.Text}
	case "wrapped coded error":
		return fmt.Errorf("wrapped: %w", &task.Error{Code: m.Code, Message: m.Text})
	case "sentinel":
		return fmt.Errorf("%s: %w", m.Text, errSentinel)
	case "canceled":
		return fmt.Errorf("%s: %w", m.Text, context.Canceled)
	case "deadline":
		return fmt.Errorf("%s: %w", m.Text, context.DeadlineExceeded)
	case "panic":
		panicsDeepInside(m.Text)
	case "runtime error":
		var nothing *manner
		return errors.New(nothing.Text)
	case "abort":
		panic(http.ErrAbortHandler)
	case "exit":
		runtime.Goexit()
	}
	return fmt.Errorf("BUG: there is no way to end %q", m.How)
}

//go:noinline
func panicsDeepInside(text string) { panic(text) }

// A limit is what a task knows of its deadline.
type limit struct {
	Limited bool
	Left    time.Duration
}

func untilDeadline(ctx context.Context, _ struct{}) (limit, error) {
	d, ok := ctx.Deadline()
	return limit{ok, time.Until(d)}, nil
}

// A labor takes a while, unless the caller leaves, and returns its ID.
type labor struct {
	ID    int64
	Takes time.Duration
	Bytes []byte // comes back
}

func pauseFor(ctx context.Context, in labor) (labor, error) {
	t := time.NewTimer(in.Takes)
	defer t.Stop()
	select {
	case <-t.C:
		return in, nil
	case <-ctx.Done():
		return labor{}, ctx.Err()
	}
}
