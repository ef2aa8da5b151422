package tasktest

import (
	"errors"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

var lost = []behaviour{
	lostWorkerIsAnError,
	lostWorkerIsReplaced,
	idempotentTaskIsRunAgain,
	idempotentTaskIsRunAgainWithinLimits,
	streamThatHasNotBegunIsRunAgain,
	streamThatHasBegunIsNotRunAgain,
}

// needProcesses skips the test if a task cannot kill its worker.
func (t *test) needProcesses() {
	if !t.target.Processes {
		t.Skip("the workers of the place are not processes of their own")
	}
}

func lostWorkerIsAnError(t *test) {
	t.needProcesses()
	p, w := t.place(), t.watch()
	call := t.hold(t.Context(), p, held, w.hold())
	w.next().order(order{Die: true})
	e := receive(t, call, "end of the call")
	var own *task.Error
	if !errors.Is(e.err, task.ErrLost) || errors.As(e.err, &own) {
		t.Errorf("the call ended with the error %v, want ErrLost", e.err)
	}
	must(t, p, echoEmpty, struct{}{})
	w.none()
}

func lostWorkerIsReplaced(t *test) {
	t.needProcesses()
	p, w := t.start(offload.Config{Workers: 1}).Place, t.watch()
	for range 3 {
		call := t.hold(t.Context(), p, held, w.hold())
		w.next().order(order{Die: true})
		fails(t, call, task.ErrLost)
		must(t, p, echoEmpty, struct{}{})
	}
}

func idempotentTaskIsRunAgain(t *test) {
	t.needProcesses()
	p, w := t.place(), t.watch()
	call := t.hold(t.Context(), p, heldAgain, w.hold())
	w.next().order(order{Die: true})
	w.next().end("again")
	returns(t, call, "again")
}

// idempotentTaskIsRunAgainWithinLimits lets a task kill every worker that runs it.
func idempotentTaskIsRunAgainWithinLimits(t *test) {
	t.needProcesses()
	p, w := t.place(), t.watch()
	call := t.hold(t.Context(), p, heldAgain, w.hold())
	for runs := 0; ; {
		select {
		case r := <-w.begun:
			if runs++; runs > 20 {
				t.Fatalf("the task was run %d times, although it kills every worker", runs)
			}
			r.order(order{Die: true})
			continue
		case e := <-call:
			if !errors.Is(e.err, task.ErrLost) {
				t.Errorf("the call ended with the error %v, want ErrLost", e.err)
			}
			t.Logf("the task was run %d times", runs)
		}
		break
	}
	must(t, p, echoEmpty, struct{}{})
}

func streamThatHasNotBegunIsRunAgain(t *test) {
	t.needProcesses()
	p, w := t.place(), t.watch()
	var rec recorder
	call := t.holdStream(t.Context(), p, heldStreamAgain, w.hold(), &rec)
	w.next().order(order{Die: true})
	r := w.next()
	r.order(order{Write: 1, Size: 100})
	r.end("")
	fails(t, call, nil)
	if rec.got.Len() != 100 {
		t.Errorf("got %d bytes, want 100", rec.got.Len())
	}
}

func streamThatHasBegunIsNotRunAgain(t *test) {
	t.needProcesses()
	p, w := t.place(), t.watch()
	var rec recorder
	call := t.holdStream(t.Context(), p, heldStreamAgain, w.hold(), &rec)
	r := w.next()
	r.order(order{Write: 1, Size: 100})
	t.eventually("the chunk has arrived", func() bool { return rec.len() == 100 })
	r.order(order{Die: true})
	fails(t, call, task.ErrLost)
	w.none()
}
