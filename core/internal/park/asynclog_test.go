package park

import (
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// The application's logger may do anything.
func TestAsyncLogIsHeldUpByNoLog(t *testing.T) {
	var a asyncLog
	release, lines := make(chan struct{}), make(chan string, 10)
	logs := []func(string, ...any){
		func(string, ...any) { <-release },
		func(string, ...any) { panic("a log") },
		func(string, ...any) { runtime.Goexit() },
		func(format string, args ...any) { lines <- args[0].(string) },
	}
	for _, logf := range logs {
		a.printf(logf, "line", " %d", 1)
	}
	for range 100 { // no long queue
		a.printf(logs[3], "line", " %d", 2)
	}
	close(release)
	for _, want := range []string{"line 1", "line 2"} {
		select {
		case got := <-lines:
			if got != want {
				t.Errorf("written %q, want %q", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("nothing is written")
		}
	}
	for {
		a.mu.Lock()
		writing := a.writing
		a.mu.Unlock()
		if !writing {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if n := len(lines); n > 10 {
		t.Errorf("%d lines are written", n)
	}
}

// The longest possible timeout does not expire at once.
func TestLongestTimeoutIsForEver(t *testing.T) {
	expired := make(chan *Conn, 1)
	d := deadlines{expire: func(c *Conn) { expired <- c }}
	for k := range d.lists {
		d.lists[k].timeout = math.MaxInt64
	}
	c := new(Conn)
	d.enter(c, Idle)
	c.state.do(actPark)
	d.sweep()
	if d.expired(c) || len(expired) > 0 || !anyOf(&d, Idle) {
		t.Error("it has expired")
	}
	d.stop()
}

// A hook that ends the goroutine, as t.FailNow does, ends only one connection.
func TestEachExpiresWhateverAHookDoes(t *testing.T) {
	expired := make(chan *Conn, 3)
	d := deadlines{expire: func(c *Conn) { expired <- c; runtime.Goexit() }}
	d.lists[Idle].timeout = 1
	for range cap(expired) {
		c := new(Conn)
		c.state.do(actPark) // first: otherwise c may expire before it is parked
		d.enter(c, Idle)
	}
	for range cap(expired) {
		select {
		case <-expired:
		case <-time.After(20 * time.Second):
			t.Fatal("not all have expired")
		}
	}
	d.stop()
}

// A timeout may be so short that it is over before its connection is parked.
func TestDeadlineIsNotForgottenWhileAWorkerHoldsTheConnection(t *testing.T) {
	expired := make(chan *Conn, 1)
	d := deadlines{expire: func(c *Conn) { expired <- c }}
	d.lists[Idle].timeout = 1
	c := new(Conn)
	d.enter(c, Idle)
	d.sweep() // c is not parked yet
	c.state.do(actPark)
	select {
	case <-expired:
	case <-time.After(20 * time.Second):
		t.Error("it has not expired")
	}
	d.stop()
}

// anyOf reports whether a connection waits in class k.
func anyOf(d *deadlines, k Class) bool {
	_, ok := d.longest(false, []Class{k})
	return ok
}

// Many lines of one kind do not keep those of another out of the log.
func TestAsyncLogLimitsEachKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a asyncLog
		log := new(lineLog)
		for i := range 2 * limitLines {
			a.printf(log.printf, "one", " %d", i)
			synctest.Wait()
		}
		a.printf(log.printf, "other", "")
		synctest.Wait()
		if lines := log.take(); len(lines) != limitLines+1 || lines[limitLines] != "other" {
			t.Errorf("%d lines are logged, the last is %q", len(lines), lines[len(lines)-1])
		}
		a.flush()
		synctest.Wait()
		if lines := log.take(); len(lines) != 1 || lines[0] != "one: suppressed 100 more lines of this kind" {
			t.Errorf("logged in the end: %q", lines)
		}
	})
}
