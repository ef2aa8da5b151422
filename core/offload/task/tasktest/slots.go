package tasktest

import (
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
)

var slotUse = []behaviour{
	taskThatNeedsTooManySlotsIsAnError,
	tasksTakeTurnsAtASlot,
}

func taskThatNeedsTooManySlotsIsAnError(t *test) {
	p, w := t.start(offload.Config{Slots: offload.Slots{"GPU": 1}}).Place, t.watch()
	fails(t, t.hold(t.Context(), p, heldTwoSlots, w.hold()), task.ErrSlots)
	must(t, p, echoEmpty, struct{}{})
	w.none()
	p = t.place() // without slots
	fails(t, t.hold(t.Context(), p, heldSlot, w.hold()), task.ErrSlots)
	w.none()
}

func tasksTakeTurnsAtASlot(t *test) {
	p, w := t.start(offload.Config{Workers: 3, Slots: offload.Slots{"GPU": 1}}).Place, t.watch()
	const calls = 4
	endings := t.holdSeveral(calls, p, heldSlot, w.hold())
	r := w.next()
	w.noneBegins()
	for n := range calls {
		if n > 0 {
			r = w.next()
		}
		must(t, p, echoEmpty, struct{}{}) // a task without a need does not wait
		w.none()
		r.end("served")
		returns(t, endings, "served")
	}
}
