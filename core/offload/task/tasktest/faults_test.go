package tasktest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
	"github.com/recycling-go/recycling/core/offload/task/tasktest"
)

// faults are places that do something wrong, by the behaviour that must find it.
func faults() map[string]func(testing.TB, offload.Config) *tasktest.Instance {
	var mu sync.Mutex
	var earlier []byte
	return map[string]func(testing.TB, offload.Config) *tasktest.Instance{
		"observing/endingsAreObserved": startEncoded(mistakes{silent: true}),
		"mixups/resultsNeverReachAnotherCaller": startEncoded(mistakes{outcome: func(o *task.Outcome) {
			mu.Lock()
			defer mu.Unlock()
			o.Output, earlier = earlier, o.Output
			if o.Output == nil {
				o.Output = earlier
			}
		}}),
		"leaving/callerThatLeavesEndsItsTask":    startEncoded(mistakes{context: context.WithoutCancel}),
		"deadlines/taskHasTheDeadlineOfItsCall":  startEncoded(mistakes{context: context.WithoutCancel}),
		"streams/chunksArriveInOrder":            startEncoded(mistakes{writer: inTwo}),
		"streams/chunksArriveWhileTheTaskRuns":   startEncoded(mistakes{writer: atTheEnd}),
		"streams/errorComesAfterTheChunks":       startEncoded(mistakes{outcome: func(o *task.Outcome) { o.Kind = task.Returned }}),
		"flow/slowReaderHoldsTheWriter":          startEncoded(mistakes{writer: atTheEnd}),
		"failures/panicArrivesWithValueAndStack": startEncoded(mistakes{outcome: func(o *task.Outcome) { o.Stack = nil }}),
		"failures/errorArrivesWithItsCode":       startEncoded(mistakes{outcome: func(o *task.Outcome) { o.Code = "" }}),
		"failures/errorArrivesWithItsText":       startEncoded(mistakes{outcome: func(o *task.Outcome) { o.Message = strings.TrimRight(o.Message, "\x00") }}),
		"failures/goexitIsPassedOn":              startEncoded(mistakes{outcome: func(o *task.Outcome) { o.Kind = task.Failed }}),
		"values/undecodableInputIsAnErrorWithACode": startEncoded(mistakes{outcome: func(o *task.Outcome) {
			if o.Code == task.CodeInput {
				o.Code = ""
			}
		}}),
		"limits/callThatDoesNotFitIsShed": startEncoded(mistakes{err: func(err error) error {
			if errors.Is(err, offload.ErrFull) {
				return offload.ErrFull // without RetryAfter
			}
			return err
		}}),
		"limits/noMoreTasksRunThanThereAreWorkers": func(t testing.TB, c offload.Config) *tasktest.Instance {
			c.Workers++
			return startEncoded(mistakes{})(t, c)
		},
		"slots/tasksTakeTurnsAtASlot": func(t testing.TB, c offload.Config) *tasktest.Instance {
			c.Slots = offload.Slots{"GPU": 2}
			return startEncoded(mistakes{})(t, c)
		},
		"stopping/closeShedsTheQueue": startEncoded(mistakes{err: func(err error) error {
			if errors.Is(err, offload.ErrClosed) {
				return context.Canceled
			}
			return err
		}}),
	}
}

// inTwo splits every chunk.
func inTwo(w io.Writer) (io.Writer, func()) {
	return writerFunc(func(b []byte) (int, error) {
		w.Write(b[:len(b)/2])
		w.Write(b[len(b)/2:])
		return len(b), nil
	}), func() {}
}

// atTheEnd keeps all chunks until the task has ended.
func atTheEnd(w io.Writer) (io.Writer, func()) {
	var all bytes.Buffer
	return &all, func() { w.Write(all.Bytes()) }
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

const faultEnv = "TASKTEST_FAULT"

// TestSuiteFindsFaults runs each fault in another process, in which the suite must fail.
func TestSuiteFindsFaults(t *testing.T) {
	if name := os.Getenv(faultEnv); name != "" {
		tasktest.SetPatience(time.Second)
		tasktest.Run(t, tasktest.Target{Name: "faulty", Start: faults()[name]})
		return
	}
	for name := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := append(slices.Clone([]string{"^TestSuiteFindsFaults$", "^faulty$"}), strings.Split("^"+strings.ReplaceAll(name, "/", "$/^")+"$", "/")...)
			cmd := exec.Command(os.Args[0], "-test.run="+strings.Join(run, "/"), "-test.timeout=60s")
			cmd.Env = append(os.Environ(), faultEnv+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte("--- FAIL: TestSuiteFindsFaults/faulty/"+name)) {
				t.Errorf("the suite does not find it: %v\n%s", err, out)
			}
		})
	}
}
