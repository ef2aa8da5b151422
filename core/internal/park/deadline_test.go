package park

import (
	"runtime"
	"testing"
	"time"
	"weak"
)

// The runtime may keep a timer that was stopped until it would have fired, which is ten minutes
// after an idle connection began to wait. Meanwhile the timer must not keep the server alive.
func TestStoppedDeadlinesAreCollected(t *testing.T) {
	// Among many timers that were not stopped, before and behind it in the runtime's heap, the
	// runtime leaves one that was stopped where it is.
	alive := func(d time.Duration) {
		for range 64 {
			timer := time.AfterFunc(d, func() {})
			t.Cleanup(func() { timer.Stop() })
		}
	}
	stopped := func() weak.Pointer[deadlines] {
		d := &deadlines{expire: func(*Conn) {}}
		d.lists[Idle].timeout = 2 * time.Hour
		c := new(Conn)
		alive(time.Hour)
		d.enter(c, Idle)
		alive(3 * time.Hour)
		d.leave(c)
		d.stop()
		return weak.Make(d)
	}()
	for end := time.Now().Add(20 * time.Second); stopped.Value() != nil; time.Sleep(time.Millisecond) {
		runtime.GC()
		if time.Now().After(end) {
			t.Fatal("stopped deadlines are not collected")
		}
	}
}
