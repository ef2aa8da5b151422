//go:build linux && !recycling_nopark

package park

import (
	"io"
	"math"
	"testing"
	"time"
)

func (f *fixture) late() bool { return f.leaderWait.holds > 0 }

// dataWaits lets f poll until there is an event of a parked connection, whose data has then waited
// for longer than lateAfter.
func (f *fixture) dataWaits(t *testing.T) {
	t.Helper()
	client := f.dial(t)
	f.park(t, f.lead(t), None)
	io.WriteString(client, "x")
	for end := time.Now().Add(10 * time.Second); f.poll() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no event")
		}
	}
	time.Sleep(lateAfter + 10*time.Millisecond) // the leader has no processor
}

func TestLeaderIsLateIfDataHasWaited(t *testing.T) {
	f := newFixture(t, nil)
	f.dataWaits(t)
	for i, released := range []bool{false, true, false, true} {
		f.leaderWait.released = released
		f.checkLate()
		if want := i == 3; f.late() != want {
			t.Errorf("late: %v at check %d of data that has waited, want %v", f.late(), i, want)
		}
	}
	if f.leaderWait.released {
		t.Error("the leader has given up its processor since the last events")
	}
}

func TestLeaderIsNotLateIfDataIsNew(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	// The machine itself may make the leader late, but not always.
	for range 100 {
		f.park(t, c, None)
		f.leaderWait.holds = 0
		io.WriteString(client, "x")
		if f.lead(t) != c {
			t.Fatal("Lead returned another connection")
		}
		if !f.late() {
			c.Close()
			return
		}
		if _, err := c.TryRead(make([]byte, 16)); err != nil {
			t.Fatal(err)
		}
	}
	t.Error("the leader was late 100 times out of 100")
}

func TestLateLeaderWaitsByItselfForAWhile(t *testing.T) {
	f := newFixture(t, nil)
	f.leaderWait.until = math.MaxInt64
	f.leaderWait.holds = 2
	if f.hold() || f.leaderWait.holds != 1 || !f.late() {
		t.Fatalf("after a wait in vain: %d holds, late %v, want 1 and true", f.leaderWait.holds, f.late())
	}
	client := f.dial(t)
	for !f.hold() { // until the connection has arrived
		f.leaderWait.holds = 2
	}
	c := f.lead(t) // polls again: the listening socket reports the connection until it is accepted
	f.park(t, c, None)
	f.leaderWait.holds = 1
	if f.hold() || f.late() || !f.leaderWait.released {
		t.Fatalf("after the last wait in vain: late %v, want that the leader gives up its processor", f.late())
	}
	if f.hold() {
		t.Error("a leader that is not late waits by itself")
	}
	f.leaderWait.holds = maxHolds
	f.leaderWait.until = nanos() - 1
	if f.hold() || f.late() {
		t.Error("the leader is late for too long")
	}
	io.WriteString(client, "x")
	if f.lead(t) != c {
		t.Error("Lead returned another connection")
	}
	c.Close()
}

func TestLeaderDoesWithoutEpollPwait2(t *testing.T) {
	f := newFixture(t, nil)
	f.leaderWait.unknown = true // as after ENOSYS
	f.dataWaits(t)
	f.leaderWait.released, f.leaderWait.before = true, true
	f.checkLate()
	if f.late() {
		t.Error("the leader would wait by itself")
	}
}
