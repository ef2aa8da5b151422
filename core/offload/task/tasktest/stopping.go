package tasktest

import (
	"context"
	"errors"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

var stopping = []behaviour{
	shutdownServesTasksAndQueue,
	shutdownServesStreams,
	shutdownEndsWithItsContext,
	callsAfterCloseAreShed,
	closeEndsTasks,
	closeEndsStreams,
	closeShedsTheQueue,
}

// shedsCalls waits until p is known to be closed.
func (t *test) shedsCalls(p task.Place) {
	t.Helper()
	t.eventually("new calls are shed", func() bool {
		_, err := echoEmpty.Do(t.Context(), p, struct{}{})
		return errors.Is(err, offload.ErrClosed)
	})
}

// occupy makes a call that runs, one that waits and one that is shed. The place must have one
// worker and a queue of one. It returns the results of the first two.
func (t *test) occupy(p task.Place, w *watch) (r *running, calls <-chan ending[string]) {
	t.Helper()
	calls = t.holdSeveral(3, p, held, w.hold())
	if e := receive(t, calls, "end of a call"); !errors.Is(e.err, offload.ErrFull) {
		t.Fatalf("a call ended with the error %v, want ErrFull", e.err)
	}
	return w.next(), calls
}

func shutdownServesTasksAndQueue(t *test) {
	p, w := t.start(offload.Config{Workers: 1, Queue: 1}), t.watch()
	r, calls := t.occupy(p.Place, w)
	done := startErr(func() error { return p.Shutdown(t.Context()) })
	t.shedsCalls(p.Place)
	r.end("served")
	r = w.next()
	if len(done) > 0 {
		t.Errorf("Shutdown returned %v before the last task had ended", (<-done).err)
	}
	r.end("served")
	for range 2 {
		returns(t, calls, "served")
	}
	fails(t, done, nil)
	receive(t, p.Done, "end of the place")
}

func shutdownServesStreams(t *test) {
	p, w := t.start(offload.Config{}), t.watch()
	var rec recorder
	call := t.holdStream(t.Context(), p.Place, heldStream, w.hold(), &rec)
	r := w.next()
	r.order(order{Write: 2, Size: 100})
	r.report()
	done := startErr(func() error { return p.Shutdown(t.Context()) })
	t.shedsCalls(p.Place)
	r.order(order{Write: 2, Size: 100})
	r.end("")
	fails(t, call, nil)
	fails(t, done, nil)
	if rec.got.Len() != 400 {
		t.Errorf("got %d bytes, want 400", rec.got.Len())
	}
}

func shutdownEndsWithItsContext(t *test) {
	p, w := t.start(offload.Config{}), t.watch()
	call := t.hold(t.Context(), p.Place, held, w.hold())
	r := w.next()
	ctx, cancel := context.WithCancel(t.Context())
	done := startErr(func() error { return p.Shutdown(ctx) })
	t.shedsCalls(p.Place)
	cancel()
	fails(t, done, context.Canceled)
	r.end("served")
	returns(t, call, "served")
}

func callsAfterCloseAreShed(t *test) {
	p := t.start(offload.Config{RetryAfter: 5e9})
	must(t, p.Place, echoEmpty, struct{}{})
	p.Close()
	for range 3 {
		e := do(t, p.Place, echoEmpty, struct{}{})
		if !errors.Is(e.err, offload.ErrClosed) || offload.RetryAfter(e.err) != "5" {
			t.Errorf("the call ended with the error %v, want ErrClosed and a time to retry after", e.err)
		}
	}
	p.Close()
}

// wasClosed fails the test unless err is that of a call that was running when the place was closed:
// ErrClosed, or what the task has returned because its context has ended, if that was first.
func wasClosed(t *test, err error) {
	t.Helper()
	if !errors.Is(err, offload.ErrClosed) && !errors.Is(err, context.Canceled) {
		t.Errorf("the call ended with the error %v, want ErrClosed or context.Canceled", err)
	}
}

func closeEndsTasks(t *test) {
	p, w := t.start(offload.Config{}), t.watch()
	call := t.hold(t.Context(), p.Place, held, w.hold())
	r := w.next()
	p.Close()
	wasClosed(t, receive(t, call, "end of the call").err)
	r.gone()
	receive(t, p.Done, "end of the place")
}

func closeEndsStreams(t *test) {
	p, w := t.start(offload.Config{}), t.watch()
	var rec recorder
	call := t.holdStream(t.Context(), p.Place, heldStream, w.hold(), &rec)
	r := w.next()
	r.order(order{Write: 2, Size: 100})
	r.report()
	p.Close()
	wasClosed(t, receive(t, call, "end of the call").err)
	r.gone()
	receive(t, p.Done, "end of the place")
}

func closeShedsTheQueue(t *test) {
	p, w := t.start(offload.Config{Workers: 1, Queue: 1}), t.watch()
	r, calls := t.occupy(p.Place, w)
	p.Close()
	one, other := receive(t, calls, "end of a call").err, receive(t, calls, "end of a call").err
	wasClosed(t, one)
	wasClosed(t, other)
	if !errors.Is(one, offload.ErrClosed) && !errors.Is(other, offload.ErrClosed) {
		t.Error("the call in the queue has not got ErrClosed")
	}
	r.gone()
	w.none()
}
