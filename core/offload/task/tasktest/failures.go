package tasktest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

var failures = []behaviour{
	errorArrivesWithItsText,
	errorArrivesWithItsCode,
	codeOfAWrappedErrorArrives,
	errorIsItselfInProcess,
	contextErrorsOfATaskArrive,
	panicArrivesWithValueAndStack,
	errAbortHandlerIsPassedOn,
	goexitIsPassedOn,
	placeSurvivesFailures,
}

func errorArrivesWithItsText(t *test) {
	text := "no such picture: \"ü\"\n\x00"
	e := do(t, t.place(), ends, manner{How: "error", Text: text})
	var own *task.Error
	if !errors.As(e.err, &own) {
		t.Fatalf("the error is %v, want a task.Error", e.err)
	}
	if own.Task != ends.Name() || own.Code != "" || own.Message != text || own.Error() != "task ends: "+text {
		t.Errorf("the error is %#v", own)
	}
	if e.value != "" {
		t.Errorf("the output is %q, want the zero value", e.value)
	}
}

func errorArrivesWithItsCode(t *test) {
	e := do(t, t.place(), ends, manner{How: "coded error", Code: "not-found", Text: "no picture"})
	var own *task.Error
	if !errors.As(e.err, &own) || own.Code != "not-found" || own.Message != "no picture" || own.Task != ends.Name() {
		t.Errorf("the error is %#v", e.err)
	}
}

func codeOfAWrappedErrorArrives(t *test) {
	e := do(t, t.place(), ends, manner{How: "wrapped coded error", Code: "not-found", Text: "no picture"})
	var own *task.Error
	if !errors.As(e.err, &own) || own.Code != "not-found" || !strings.Contains(own.Message, "no picture") {
		t.Errorf("the error is %#v", e.err)
	}
}

func errorIsItselfInProcess(t *test) {
	e := do(t, t.place(), ends, manner{How: "sentinel", Text: "text"})
	var own *task.Error
	if !errors.As(e.err, &own) || own.Message != "text: sentinel" {
		t.Errorf("the error is %#v", e.err)
	}
	if errors.Is(e.err, errSentinel) != t.target.InProcess {
		t.Errorf("the error is the task's own: %v, want %v", !t.target.InProcess, t.target.InProcess)
	}
}

func contextErrorsOfATaskArrive(t *test) {
	p := t.place()
	for how, want := range map[string]error{"canceled": context.Canceled, "deadline": context.DeadlineExceeded} {
		var own *task.Error
		if e := do(t, p, ends, manner{How: how, Text: "gave up"}); !errors.Is(e.err, want) || errors.As(e.err, &own) {
			t.Errorf("the error is %v, want one that wraps %v", e.err, want)
		}
	}
}

func panicArrivesWithValueAndStack(t *test) {
	p := t.place()
	for how, want := range map[string][2]string{
		"panic":         {"very bad", "panicsDeepInside"},
		"runtime error": {"nil pointer dereference", "manner.end"},
	} {
		e := do(t, p, ends, manner{How: how, Text: "very bad"})
		v, ok := e.panic.(*offload.Panic)
		if !ok {
			t.Fatalf("%s: the call ended with the panic %v and the error %v, want an offload.Panic", how, e.panic, e.err)
		}
		if text := fmt.Sprint(v.Value); !strings.Contains(text, want[0]) {
			t.Errorf("%s: the value is %q, want %q in it", how, text, want[0])
		}
		if !strings.Contains(string(v.Stack), want[1]) {
			t.Errorf("%s: %s is not in the stack:\n%s", how, want[1], v.Stack)
		}
	}
}

func errAbortHandlerIsPassedOn(t *test) {
	if e := do(t, t.place(), ends, manner{How: "abort"}); e.panic != http.ErrAbortHandler {
		t.Errorf("the call ended with the panic %v and the error %v, want the panic http.ErrAbortHandler", e.panic, e.err)
	}
}

func goexitIsPassedOn(t *test) {
	if e := do(t, t.place(), ends, manner{How: "exit"}); !e.exited {
		t.Errorf("the call ended with the panic %v and the error %v, want runtime.Goexit", e.panic, e.err)
	}
}

func placeSurvivesFailures(t *test) {
	p := t.place()
	hows := []string{"error", "coded error", "canceled", "panic", "abort", "exit", "runtime error"}
	var all sync.WaitGroup
	for range 5 {
		for _, how := range hows {
			all.Go(func() {
				if e := <-start(func() (string, error) { return ends.Do(t.Context(), p, manner{How: how}) }); e.err == nil && e.panic == nil && !e.exited {
					t.Errorf("%s: the call succeeded", how)
				}
			})
			all.Go(func() {
				e := <-start(func() (string, error) { return ends.Do(t.Context(), p, manner{How: "return", Text: how}) })
				if e.err != nil || e.value != how {
					t.Errorf("next to %s: the call ended with %q, %v", how, e.value, e.err)
				}
			})
		}
	}
	all.Wait()
}
