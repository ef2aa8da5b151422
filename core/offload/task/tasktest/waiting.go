package tasktest

import (
	"context"
	"sync/atomic"

	"github.com/recycling-go/recycling/core/internal/wait"
	"github.com/recycling-go/recycling/core/offload"
)

var waiting = []behaviour{
	callerOnlyWaits,
	callerHasWaitedHoweverItEnds,
}

// A waitCount is a wait.Waiter that counts those that wait.
type waitCount struct{ now, calls atomic.Int64 }

func (c *waitCount) Wait(f func()) {
	c.now.Add(1)
	c.calls.Add(1)
	defer c.now.Add(-1)
	f()
}

func (c *waitCount) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, wait.Key{}, c)
}

// callerOnlyWaits has a caller whose context is that of a request. While it is in the queue, and
// while the task runs, its handler waits as in offload.Waiting.
func callerOnlyWaits(t *test) {
	p, w := t.start(offload.Config{Workers: 1}).Place, t.watch()
	first := t.hold(t.Context(), p, held, w.hold())
	other := w.next()
	var c waitCount
	call := t.hold(c.context(t.Context()), p, held, w.hold())
	t.eventually("the caller waits in the queue", func() bool { return c.now.Load() == 1 })
	other.end("first")
	returns(t, first, "first")
	r := w.next()
	if n := c.now.Load(); n != 1 {
		t.Errorf("%d callers wait while the task runs, want 1", n)
	}
	r.end("second")
	returns(t, call, "second")
	if now, calls := c.now.Load(), c.calls.Load(); now != 0 || calls < 1 {
		t.Errorf("after the call, %d wait, and there were %d waits, want none now and one or more", now, calls)
	}
}

// callerHasWaitedHoweverItEnds has calls end in other ways than with a result.
func callerHasWaitedHoweverItEnds(t *test) {
	p := t.place()
	var c waitCount
	ctx := c.context(t.Context())
	for _, how := range []string{"error", "panic", "exit"} {
		receive(t, start(func() (string, error) { return ends.Do(ctx, p, manner{How: how, Text: how}) }), "end of the call")
		if n := c.now.Load(); n != 0 {
			t.Errorf("%s: %d wait after the call, want none", how, n)
		}
	}
	must(t, p, echoEmpty, struct{}{})
}
