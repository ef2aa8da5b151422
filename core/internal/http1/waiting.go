package http1

import "context"

// A waitState says whether the handler of a request waits: see requestContext.Wait.
type waitState uint8

const (
	atWork waitState = iota
	paused           // a call of Wait has paused the worker, and will resume it
	over             // the handler has returned
)

// Wait implements wait.Waiter. Any goroutine may call it, even after the handler has returned;
// the first call that pauses the worker also resumes it, and calls in between only call f.
func (x *requestContext) Wait(f func()) {
	if !x.beginWait() {
		f()
		return
	}
	defer x.endWait() // even if f panics or calls Goexit
	f()
}

// beginWait pauses the worker, and reports whether it did.
func (x *requestContext) beginWait() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.wait != atWork || x.x == nil {
		return false
	}
	w := x.x.worker
	if w.Pause == nil || !w.Pause() {
		return false
	}
	x.wait = paused
	return true
}

// endWait resumes the worker, unless the handler has returned meanwhile.
func (x *requestContext) endWait() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.endWaitLocked(atWork)
}

func (x *requestContext) endWaitLocked(to waitState) {
	if x.wait == paused {
		x.x.worker.Resume()
	}
	if x.wait != over {
		x.wait = to
	}
}

// handlerDone ends the context. If another goroutine has begun a wait, handlerDone ends that too,
// since the worker goes on to the next request. It reports whether the context has dropped the
// exchange. It has not if something that is called before the exchange ends may ask for the
// connection's local address: an Observer, or a function passed to AfterFunc.
func (x *requestContext) handlerDone() (dropped bool) {
	x.mu.Lock()
	x.endWaitLocked(over)
	if dropped = !x.armed && x.srv.Observer == nil; dropped {
		x.releaseLocked()
	}
	x.cancelLocked(context.Canceled)
	return dropped
}
