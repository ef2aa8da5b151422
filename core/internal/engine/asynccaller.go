package engine

import (
	"sync"
	"time"
)

// An asyncCaller calls functions that may block, such as hooks of the application, on goroutines of
// its own. It is for callers that must not block: those that lead, expire connections, make room,
// or stop the server. The zero value is ready for use.
//
// It starts another goroutine when all of them are busy, up to quickCallers: if the functions
// return soon, that is enough. If they block, it adds more goroutines step by step. So a function
// that blocks delays others only for a moment.
type asyncCaller struct {
	mu      sync.Mutex // guards the following
	queue   []func()
	running int
	coming  bool        // a started goroutine has not looked at the queue yet
	taken   int         // functions taken since the timer was armed
	timer   *time.Timer // adds goroutines; nil at first
	armed   bool
}

const (
	// quickCallers is how many goroutines an asyncCaller starts without a pause.
	quickCallers = 32
	// callerPause is how long it then waits before it adds half as many as there are.
	callerPause = 5 * time.Millisecond
)

// add has f called soon. It does not block.
func (a *asyncCaller) add(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = append(a.queue, f)
	a.callLocked()
}

// callLocked makes sure that a goroutine takes care of the queue.
func (a *asyncCaller) callLocked() {
	switch {
	case a.coming || len(a.queue) == 0:
	case a.running < quickCallers:
		a.startLocked(1)
	case !a.armed:
		a.armed, a.taken = true, 0
		if a.timer == nil {
			a.timer = time.AfterFunc(callerPause, a.grow)
		} else {
			a.timer.Reset(callerPause)
		}
	}
}

func (a *asyncCaller) startLocked(n int) {
	a.coming = true
	a.running += n
	for range n {
		go a.run()
	}
}

// grow is called callerPause after the queue was found non-empty with all goroutines busy. It adds
// goroutines only if the present ones have taken fewer functions since than there are goroutines.
func (a *asyncCaller) grow() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.armed = false
	if n := min(len(a.queue), a.running/2+1); n > 0 && !a.coming && a.taken < a.running {
		a.startLocked(n)
	}
	a.callLocked()
}

// run calls functions until the queue is empty. A panic or Goexit in a function ends the goroutine,
// but the rest of the queue is still called.
func (a *asyncCaller) run() {
	defer func() {
		recover() // the functions report their own panics
		a.mu.Lock()
		defer a.mu.Unlock()
		a.running--
		a.callLocked()
	}()
	for {
		f := a.next()
		if f == nil {
			return
		}
		f()
	}
}

// next returns the next function to call, or nil if there is none.
func (a *asyncCaller) next() func() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.coming = false
	if len(a.queue) == 0 {
		a.queue = nil
		return nil
	}
	f := a.queue[0]
	a.queue[0] = nil
	a.queue = a.queue[1:]
	a.taken++
	a.callLocked()
	return f
}
