package engine

import (
	"sync"
	"time"
)

// A background calls functions that may block, such as hooks of the application, on goroutines of
// its own. It is for callers that must not block: those that lead, expire connections, make room,
// or stop the server. The zero value is ready for use.
//
// It starts another goroutine when all of them are busy, up to quickCallers: if the functions
// return soon, that is enough. If they block, it adds more goroutines step by step. So a function
// that blocks delays others only for a moment.
type background struct {
	mu      sync.Mutex // guards the following
	queue   []func()
	running int
	coming  bool        // a started goroutine has not looked at the queue yet
	taken   int         // functions taken since the timer was armed
	timer   *time.Timer // adds goroutines; nil at first
	armed   bool
}

const (
	// quickCallers is how many goroutines a background starts without a pause.
	quickCallers = 32
	// callerPause is how long it then waits before it adds half as many as there are.
	callerPause = 5 * time.Millisecond
)

// add has f called soon. It does not block.
func (b *background) add(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, f)
	b.callLocked()
}

// callLocked makes sure that a goroutine takes care of the queue.
func (b *background) callLocked() {
	switch {
	case b.coming || len(b.queue) == 0:
	case b.running < quickCallers:
		b.startLocked(1)
	case !b.armed:
		b.armed, b.taken = true, 0
		if b.timer == nil {
			b.timer = time.AfterFunc(callerPause, b.grow)
		} else {
			b.timer.Reset(callerPause)
		}
	}
}

func (b *background) startLocked(n int) {
	b.coming = true
	b.running += n
	for range n {
		go b.run()
	}
}

// grow is called callerPause after the queue was found non-empty with all goroutines busy. It adds
// goroutines only if the present ones have taken fewer functions since than there are goroutines.
func (b *background) grow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.armed = false
	if n := min(len(b.queue), b.running/2+1); n > 0 && !b.coming && b.taken < b.running {
		b.startLocked(n)
	}
	b.callLocked()
}

// run calls functions until the queue is empty. A panic or Goexit in a function ends the goroutine,
// but the rest of the queue is still called.
func (b *background) run() {
	defer func() {
		recover() // the functions report their own panics
		b.mu.Lock()
		defer b.mu.Unlock()
		b.running--
		b.callLocked()
	}()
	for {
		f := b.next()
		if f == nil {
			return
		}
		f()
	}
}

// next returns the next function to call, or nil if there is none.
func (b *background) next() func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.coming = false
	if len(b.queue) == 0 {
		b.queue = nil
		return nil
	}
	f := b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	b.taken++
	b.callLocked()
	return f
}
