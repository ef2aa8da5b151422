//go:build linux && !recycling_nopark

package park

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

func TestWhatNeedNotWaitSetsNoTimer(t *testing.T) {
	f := newFixture(t, nil)
	f.config.WriteStall = time.Minute
	client := f.dial(t)
	c := f.lead(t)
	defer c.Close()
	c.SetPatience(&Patience{Limit: time.Minute})
	io.WriteString(client, "ping")
	for {
		if n, err := c.Peek(make([]byte, 4)); err != nil || n == 4 {
			break
		}
	}
	if _, err := c.Read(make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("pong")); err != nil {
		t.Fatal(err)
	}
	if c.bounds != nil || c.handle.kind != descriptor {
		t.Error("reading or writing was prepared to wait")
	}
	pong := []byte("pong")
	if n := testing.AllocsPerRun(100, func() { c.Write(pong) }); n != 0 {
		t.Errorf("a write allocates %v times", n)
	}
}

func TestPatienceEnds(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	defer c.Close()
	c.SetPatience(&Patience{Limit: 20 * time.Millisecond})
	if _, err := c.Read(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("it waited once more: ", err)
	}
	c.SetPatience(nil)
	time.AfterFunc(20*time.Millisecond, func() { io.WriteString(client, "ping") })
	if n, err := c.Read(make([]byte, 4)); n != 4 || err != nil {
		t.Errorf("after that, reading waits no more: %d, %v", n, err)
	}
}

func TestLongestOfSeveralClasses(t *testing.T) {
	f := newFixture(t, map[Class]time.Duration{First: time.Hour, Idle: time.Hour, Hello: time.Minute})
	var all []*Conn
	for _, k := range []Class{Idle, First, Hello, First} {
		f.dial(t)
		c := f.lead(t)
		f.park(t, c, k)
		all = append(all, c)
	}
	if _, ok := f.Longest(false, Linger); ok {
		t.Error("one lingers")
	}
	for _, want := range []*Conn{all[1], all[2], all[3]} {
		if c := f.TakeLongest(false, Hello, First); c != want {
			t.Fatalf("took %p, want %p of %p", c, want, all)
		} else {
			c.Close()
		}
	}
	if c := f.TakeLongest(false, Hello, First); c != nil {
		t.Error("took one more")
	}
	if _, ok := f.Longest(false, Idle); !ok {
		t.Error("none is idle")
	}
}

// A connection whose next request has arrived, and which the leader has not noticed yet, is not one
// that is closed to make room.
func TestLongestThatIsQuiet(t *testing.T) {
	f := newFixture(t, map[Class]time.Duration{Idle: time.Hour})
	var all []*Conn
	var clients []net.Conn
	for range 3 {
		clients = append(clients, f.dial(t))
		c := f.lead(t)
		f.park(t, c, Idle)
		all = append(all, c)
	}
	io.WriteString(clients[0], "ping")
	for deadline := time.Now().Add(10 * time.Second); all[0].quiet(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what the client has written did not arrive")
		}
	}
	for _, want := range []*Conn{all[1], all[2], nil} {
		if _, ok := f.Longest(true, Idle); ok != (want != nil) {
			t.Errorf("one is quiet: %t, want %t", ok, want != nil)
		}
		c := f.TakeLongest(true, Idle)
		if c != want {
			t.Fatalf("took %p, want %p of %p", c, want, all)
		}
		if c != nil {
			c.Close()
		}
	}
	if c := f.TakeLongest(false, Idle); c != all[0] {
		t.Errorf("took %p, want the one that is not quiet", c)
	} else {
		c.Close()
	}
}

// A deadlineConn records its deadlines.
type deadlineConn struct {
	net.Conn
	read time.Time
}

func (c *deadlineConn) SetReadDeadline(t time.Time) error {
	c.read = t
	return nil
}

// The clock in a test may be years behind: see package testing/synctest.
func TestDeadlinesArePassedOnAsTheyAre(t *testing.T) {
	f := newFixture(t, nil)
	f.config.WriteStall = time.Minute
	nc := &deadlineConn{}
	c := f.newConn(nil)
	f.Add(c, nc)
	for _, by := range []time.Time{epoch.AddDate(-26, 0, 0), epoch, time.Now().Add(time.Hour), {}} {
		c.SetReadDeadline(by)
		if !nc.read.Equal(by) {
			t.Errorf("the deadline is %v, want %v", nc.read, by)
		}
	}
}
