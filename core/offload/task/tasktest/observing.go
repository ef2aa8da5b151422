package tasktest

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/recycling-go/recycling/core/observe"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

var observing = []behaviour{
	endingsAreObserved,
	shedCallsAreObserved,
	leavingIsObserved,
	timesAreObserved,
	streamsAreObserved,
	strangersAreObserved,
	closingIsObserved,
	lossesAreObserved,
	retriesAreObserved,
}

// An observer collects what a TaskObserver is told.
type observer struct {
	t     *test
	mu    sync.Mutex // guards following
	calls []observe.TaskCall
}

func (o *observer) TaskEnd(c observe.TaskCall) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, c)
}

// observe returns p with an observer.
func (t *test) observe(p task.Place) (task.Place, *observer) {
	o := &observer{t: t}
	return task.Observe(p, "here", o), o
}

// take returns what has been observed since the last call of take. The test fails unless each of
// the calls ended with one of want, in any order.
func (o *observer) take(want ...observe.TaskResult) []observe.TaskCall {
	o.t.Helper()
	o.mu.Lock()
	calls := o.calls
	o.calls = nil
	o.mu.Unlock()
	count := map[observe.TaskResult]int{}
	for _, r := range want {
		count[r]++
	}
	for _, c := range calls {
		count[c.Result]--
		if c.Place != "here" || c.Task == "" || c.Queued < 0 || c.Running < 0 || c.Retries < 0 {
			o.t.Errorf("the observer got %+v", c)
		}
	}
	for r, n := range count {
		if n != 0 {
			o.t.Fatalf("the observer got %+v: %d too few have ended with %q, want the results %q", calls, n, r, want)
		}
	}
	return calls
}

// one returns the only call that has been observed since the last call of take.
func (o *observer) one(want observe.TaskResult) observe.TaskCall {
	o.t.Helper()
	return o.take(want)[0]
}

func endingsAreObserved(t *test) {
	p, o := t.observe(t.place())
	for how, want := range map[string]observe.TaskResult{
		"return":      observe.TaskReturned,
		"error":       observe.TaskFailed,
		"coded error": observe.TaskFailed,
		"panic":       observe.TaskPanicked,
		"abort":       observe.TaskPanicked,
		"exit":        observe.TaskPanicked,
	} {
		do(t, p, ends, manner{How: how})
		if c := o.one(want); c.Task != ends.Name() || c.Running <= 0 || c.Retries != 0 {
			t.Errorf("%s: the observer got %+v; if Running is zero, the place does not call Job.Begin", how, c)
		}
	}
}

func shedCallsAreObserved(t *test) {
	inner, w := t.start(offload.Config{Workers: 1, Queue: 1, Wait: time.Second}).Place, t.watch()
	p, o := t.observe(inner)
	r, calls := t.occupy(p, w)
	receive(t, calls, "end of the call in the queue")
	for _, c := range o.take(observe.TaskShedFull, observe.TaskShedWait) {
		if c.Running != 0 || c.Result == observe.TaskShedWait && c.Queued < time.Second/2 {
			t.Errorf("the observer got %+v", c)
		}
	}
	r.end("served")
	receive(t, calls, "end of a call")
	o.one(observe.TaskReturned)
}

func leavingIsObserved(t *test) {
	inner, w := t.place(), t.watch()
	p, o := t.observe(inner)
	ctx, cancel := context.WithCancel(t.Context())
	call := t.hold(ctx, p, held, w.hold())
	r := w.next()
	cancel()
	fails(t, call, context.Canceled)
	r.gone()
	if c := o.one(observe.TaskLeft); c.Running <= 0 {
		t.Errorf("the observer got %+v", c)
	}
	fails(t, t.hold(ctx, p, held, w.hold()), context.Canceled)
	if c := o.one(observe.TaskLeft); c.Running != 0 {
		t.Errorf("the observer got %+v", c)
	}
	fails(t, t.hold(t.Context(), p, heldShort, w.hold()), context.DeadlineExceeded)
	o.one(observe.TaskTimedOut)
}

func timesAreObserved(t *test) {
	inner, w := t.start(offload.Config{Workers: 1, Queue: 1}).Place, t.watch()
	p, o := t.observe(inner)
	r, calls := t.occupy(p, w)
	o.one(observe.TaskShedFull)
	const long = 50 * time.Millisecond
	since := time.Now()
	t.eventually("time has passed", func() bool { return time.Since(since) > long })
	r.end("served")
	receive(t, calls, "end of a call")
	if c := o.one(observe.TaskReturned); c.Running < long {
		t.Errorf("a task that ran for %v was observed as %+v", long, c)
	}
	w.next().end("served")
	receive(t, calls, "end of a call")
	if c := o.one(observe.TaskReturned); c.Queued < long || c.Running <= 0 {
		t.Errorf("a call that waited for %v was observed as %+v", long, c)
	}
}

func streamsAreObserved(t *test) {
	p, o := t.observe(t.place())
	stream(t, p, writing{Sizes: []int{1, 2}}, io.Discard)
	if c := o.one(observe.TaskReturned); c.Task != chunks.Name() || c.Running <= 0 {
		t.Errorf("the observer got %+v", c)
	}
	stream(t, p, writing{Sizes: []int{1, 2}, End: manner{How: "error"}}, io.Discard)
	o.one(observe.TaskFailed)
	stream(t, p, writing{Sizes: []int{1, 2}}, &failing{})
	o.one(observe.TaskLeft)
}

func strangersAreObserved(t *test) {
	t.needEncoding()
	p, o := t.observe(t.place())
	do(t, p, stranger, 1)
	o.one(observe.TaskRefused)
}

func closingIsObserved(t *test) {
	i := t.start(offload.Config{})
	p, o := t.observe(i.Place)
	i.Close()
	do(t, p, echoEmpty, struct{}{})
	o.one(observe.TaskShedClosed)
}

func lossesAreObserved(t *test) {
	t.needProcesses()
	inner, w := t.place(), t.watch()
	p, o := t.observe(inner)
	call := t.hold(t.Context(), p, held, w.hold())
	w.next().order(order{Die: true})
	fails(t, call, task.ErrLost)
	if c := o.one(observe.TaskLost); c.Running <= 0 || c.Retries != 0 {
		t.Errorf("the observer got %+v", c)
	}
}

func retriesAreObserved(t *test) {
	t.needProcesses()
	inner, w := t.place(), t.watch()
	p, o := t.observe(inner)
	call := t.hold(t.Context(), p, heldAgain, w.hold())
	w.next().order(order{Die: true})
	w.next().end("again")
	returns(t, call, "again")
	if c := o.one(observe.TaskReturned); c.Retries != 1 {
		t.Errorf("the observer got %+v, want one retry", c)
	}
}
