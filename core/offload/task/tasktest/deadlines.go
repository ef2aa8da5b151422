package tasktest

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

var deadlines = []behaviour{
	callWhoseContextHasEndedIsNotRun,
	deadlineEndsCallAndTask,
	deadlineInTheQueueEndsTheCall,
	deadlineAfterTheCallChangesNothing,
	taskHasTheDeadlineOfItsCall,
	timeoutOfTheTaskEndsCallAndTask,
	timeoutOfThePlaceEndsCallAndTask,
	stubbornTaskDoesNotHoldItsCaller,
}

// short is how long deadlines are that the tests wait for.
const short = 300 * time.Millisecond

// hold starts a call of a held task.
func (t *test) hold(ctx context.Context, p task.Place, tk *task.Task[hold, string], h hold) <-chan ending[string] {
	return start(func() (string, error) { return tk.Do(ctx, p, h) })
}

// holdSeveral starts n calls of a held task.
func (t *test) holdSeveral(n int, p task.Place, tk *task.Task[hold, string], h hold) <-chan ending[string] {
	endings := make(chan ending[string], n)
	for range n {
		go func() { endings <- <-t.hold(t.Context(), p, tk, h) }()
	}
	return endings
}

// holdStream starts a call of a held stream.
func (t *test) holdStream(ctx context.Context, p task.Place, s *task.Stream[hold], h hold, out io.Writer) <-chan ending[struct{}] {
	return startErr(func() error { return s.Do(ctx, p, h, out) })
}

// fails waits for the end of a call and fails the test unless its error is want.
func fails[V any](t *test, call <-chan ending[V], want error) {
	t.Helper()
	if e := receive(t, call, "end of the call"); !errors.Is(e.err, want) {
		t.Errorf("the call ended with %v, the error %v and the panic %v, want the error %v", e.value, e.err, e.panic, want)
	}
}

// returns waits for the end of a call and fails the test unless it is the output want.
func returns(t *test, call <-chan ending[string], want string) {
	t.Helper()
	if e := receive(t, call, "end of the call"); e.err != nil || e.value != want {
		t.Errorf("the call ended with %q, the error %v and the panic %v, want %q", e.value, e.err, e.panic, want)
	}
}

func callWhoseContextHasEndedIsNotRun(t *test) {
	p, w := t.place(), t.watch()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	fails(t, t.hold(canceled, p, held, w.hold()), context.Canceled)
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	fails(t, t.hold(expired, p, held, w.hold()), context.DeadlineExceeded)
	must(t, p, echoEmpty, struct{}{})
	w.none()
}

// timesOut waits until a deadline ends a call, and its task.
func timesOut(t *test, p task.Place, w *watch, call <-chan ending[string]) {
	t.Helper()
	fails(t, call, context.DeadlineExceeded)
	select {
	case r := <-w.begun:
		r.contextEnds()
		r.gone()
	default: // the deadline came before the task
	}
	must(t, p, echoEmpty, struct{}{})
}

func deadlineEndsCallAndTask(t *test) {
	p, w := t.place(), t.watch()
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	timesOut(t, p, w, t.hold(ctx, p, held, w.hold()))
}

func deadlineInTheQueueEndsTheCall(t *test) {
	p, w := t.start(offload.Config{Workers: 1}).Place, t.watch()
	first := t.hold(t.Context(), p, held, w.hold())
	r := w.next()
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	fails(t, t.hold(ctx, p, held, w.hold()), context.DeadlineExceeded)
	r.end("first")
	returns(t, first, "first")
	must(t, p, echoEmpty, struct{}{})
	w.none()
}

func deadlineAfterTheCallChangesNothing(t *test) {
	p := t.start(offload.Config{Workers: 1}).Place
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if _, err := echoEmpty.Do(ctx, p, struct{}{}); err != nil {
			t.Fatal(err)
		}
		cancel() // after the call, and at the same time as the next one
	}
}

func taskHasTheDeadlineOfItsCall(t *test) {
	p := t.place()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	l, err := remaining.Do(ctx, p, struct{}{})
	if err != nil || !l.Limited || l.Left > time.Hour || l.Left < time.Hour-2*patience {
		t.Errorf("the task has the deadline %+v, error %v, want a little less than an hour", l, err)
	}
}

func timeoutOfTheTaskEndsCallAndTask(t *test) {
	p, w := t.place(), t.watch()
	timesOut(t, p, w, t.hold(t.Context(), p, heldShort, w.hold()))
}

func timeoutOfThePlaceEndsCallAndTask(t *test) {
	p, w := t.start(offload.Config{Timeout: time.Second}).Place, t.watch()
	call := t.hold(t.Context(), p, held, w.hold())
	r := w.next()
	fails(t, call, context.DeadlineExceeded)
	r.contextEnds()
	r.gone()
	must(t, p, echoEmpty, struct{}{})
}

func stubbornTaskDoesNotHoldItsCaller(t *test) {
	p, w := t.start(offload.Config{Workers: 2}).Place, t.watch()
	h := w.hold()
	h.Stubborn = true
	ctx, cancel := context.WithCancel(t.Context())
	call := t.hold(ctx, p, held, h)
	r := w.next()
	cancel()
	fails(t, call, context.Canceled)
	must(t, p, ends, manner{How: "return", Text: "another"})
	r.order(order{manner: manner{How: "return", Text: "too late"}})
	r.gone()
	for range 4 { // on every worker
		if got := must(t, p, ends, manner{How: "return", Text: "next"}); got != "next" {
			t.Errorf("the next call got %q", got)
		}
	}
}
