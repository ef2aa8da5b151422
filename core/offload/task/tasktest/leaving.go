package tasktest

import (
	"context"
	"errors"
	"io"

	"github.com/recycling-go/recycling/core/offload"
)

var leaving = []behaviour{
	callerThatLeavesTheQueueIsNotServed,
	callerThatLeavesEndsItsTask,
	callerThatLeavesAStreamEndsItsTask,
	workerIsFreeOnceItsCallerHasLeft,
}

func callerThatLeavesTheQueueIsNotServed(t *test) {
	p, w := t.start(offload.Config{Workers: 1, Queue: 1}).Place, t.watch()
	first := t.hold(t.Context(), p, held, w.hold())
	r := w.next()

	// One of two further calls is shed, so then the other one is in the queue.
	ctx, cancel := context.WithCancel(t.Context())
	second, third := t.hold(ctx, p, held, w.hold()), t.hold(ctx, p, held, w.hold())
	queued, shed := third, ending[string]{}
	select {
	case shed = <-second:
	case shed = <-third:
		queued = second
	}
	if !errors.Is(shed.err, offload.ErrFull) {
		t.Fatalf("a call ended with the error %v, want ErrFull", shed.err)
	}
	cancel()
	fails(t, queued, context.Canceled)

	next := t.hold(t.Context(), p, held, w.hold()) // it has the place of the one that left
	r.end("first")
	returns(t, first, "first")
	w.next().end("next")
	returns(t, next, "next")
	must(t, p, echoEmpty, struct{}{})
	w.none()
}

func callerThatLeavesEndsItsTask(t *test) {
	p, w := t.place(), t.watch()
	ctx, cancel := context.WithCancel(t.Context())
	call := t.hold(ctx, p, held, w.hold())
	r := w.next()
	cancel()
	fails(t, call, context.Canceled)
	r.contextEnds()
	r.gone()
	must(t, p, echoEmpty, struct{}{})
}

func callerThatLeavesAStreamEndsItsTask(t *test) {
	p, w := t.place(), t.watch()
	ctx, cancel := context.WithCancel(t.Context())
	call := t.holdStream(ctx, p, heldStream, w.hold(), io.Discard)
	r := w.next()
	r.order(order{Write: 3, Size: 100})
	for range 3 {
		r.report()
	}
	cancel()
	fails(t, call, context.Canceled)
	r.contextEnds()
	r.gone()
	must(t, p, echoEmpty, struct{}{})
}

func workerIsFreeOnceItsCallerHasLeft(t *test) {
	p, w := t.start(offload.Config{Workers: 1}).Place, t.watch()
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		call := t.hold(ctx, p, held, w.hold())
		r := w.next()
		cancel()
		fails(t, call, context.Canceled)
		r.gone()
		if got := must(t, p, ends, manner{How: "return", Text: "next"}); got != "next" {
			t.Errorf("the next call got %q", got)
		}
	}
}
