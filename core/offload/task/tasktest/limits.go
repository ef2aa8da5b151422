package tasktest

import (
	"errors"
	"time"

	"github.com/recycling-go/recycling/core/offload"
)

var limits = []behaviour{
	callThatDoesNotFitIsShed,
	callThatHasWaitedTooLongIsShed,
	noMoreTasksRunThanThereAreWorkers,
}

func callThatDoesNotFitIsShed(t *test) {
	p, w := t.start(offload.Config{Workers: 1, Queue: 2, RetryAfter: 7 * time.Second}).Place, t.watch()
	const calls = 5 // one runs, two wait, two are shed
	endings := t.holdSeveral(calls, p, held, w.hold())
	for range 2 {
		e := receive(t, endings, "end of a call")
		var shed *offload.ShedError
		if !errors.As(e.err, &shed) || shed.Reason != offload.ErrFull || offload.RetryAfter(e.err) != "7" {
			t.Fatalf("a call ended with the error %v, want ErrFull and a time to retry after", e.err)
		}
	}
	for range 3 {
		w.next().end("served")
		returns(t, endings, "served")
	}
	must(t, p, echoEmpty, struct{}{})
	w.none()
}

func callThatHasWaitedTooLongIsShed(t *test) {
	p, w := t.start(offload.Config{Workers: 1, Wait: time.Second, RetryAfter: 3 * time.Second}).Place, t.watch()
	first := t.hold(t.Context(), p, held, w.hold())
	r := w.next()
	e := receive(t, t.hold(t.Context(), p, held, w.hold()), "end of the call")
	if !errors.Is(e.err, offload.ErrWait) || offload.RetryAfter(e.err) != "3" {
		t.Errorf("the call ended with the error %v, want ErrWait and a time to retry after", e.err)
	}
	r.end("first")
	returns(t, first, "first")
	must(t, p, echoEmpty, struct{}{})
	w.none()
}

func noMoreTasksRunThanThereAreWorkers(t *test) {
	const workers, calls = 2, 6
	p, w := t.start(offload.Config{Workers: workers}).Place, t.watch()
	endings := t.holdSeveral(calls, p, held, w.hold())
	var running []*running
	for range workers {
		running = append(running, w.next())
	}
	w.noneBegins()
	for begun := workers; len(running) > 0; running = running[1:] {
		w.none()
		running[0].end("served")
		if e := receive(t, endings, "end of a call"); e.err != nil {
			t.Errorf("a call ended with the error %v", e.err)
		}
		if begun < calls {
			running = append(running, w.next())
			begun++
		}
	}
}
