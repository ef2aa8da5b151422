//go:build linux && !recycling_nopark

package park

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recycling-go/recycling/listener"
)

// A fixture is a Set that listens, and records what it did.
type fixture struct {
	*Set
	addr    string
	raw     *listener.Raw
	expired chan *Conn
	removed atomic.Int32
	ready   []*Conn // further connections that Lead returned
}

func newFixture(t *testing.T, timeouts map[Class]time.Duration) *fixture {
	t.Helper()
	f := &fixture{expired: make(chan *Conn, 16)}
	config := Config{Parks: true, Logf: t.Logf}
	for k, d := range timeouts {
		config.Timeouts[k] = d
	}
	set, err := NewSet(config)
	if err != nil {
		t.Fatal(err)
	}
	f.Set = set
	l, err := (&listener.Config{DeferAccept: -1}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	raw, ok := listener.NewRaw(l)
	if !ok {
		t.Fatal("no raw listener")
	}
	f.raw, f.addr = raw, l.Addr().String()
	if err := set.Listen(raw, false, f.newConn, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		set.Each(func(c *Conn) {
			if c.Take() {
				c.Close()
			}
		})
		set.Unlisten(raw)
		l.Close()
		set.Close()
	})
	return f
}

// newConn returns a connection that f owns.
func (f *fixture) newConn(*listener.Addr) *Conn {
	c := new(Conn)
	c.Owner = owned{f, c}
	return c
}

// An owned is the Owner of a fixture's connection.
type owned struct {
	f *fixture
	c *Conn
}

func (o owned) Admit() bool { return true }
func (o owned) Refuse()     { o.c.Close() }
func (o owned) Ended()      { o.f.removed.Add(1) }

func (o owned) Expire() {
	o.c.Close()
	o.f.expired <- o.c
}

func (f *fixture) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// lead returns the next connection from Lead.
func (f *fixture) lead(t *testing.T) *Conn {
	t.Helper()
	if len(f.ready) == 0 {
		var err error
		if f.ready, err = f.Lead(nil); err != nil {
			t.Fatal(err)
		}
	}
	c := f.ready[0]
	f.ready = f.ready[1:]
	return c
}

func (f *fixture) park(t *testing.T, c *Conn, k Class) {
	t.Helper()
	if ok, err := c.Park(k); !ok || err != nil {
		t.Fatalf("Park = %v, %v", ok, err)
	}
}

func TestParkedConnectionComesBackWithItsBytes(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	buf := make([]byte, 16)
	if _, err := c.TryRead(buf); err != ErrWait {
		t.Fatalf("TryRead of nothing: %v", err)
	}
	for range 3 {
		f.park(t, c, None)
		io.WriteString(client, "hello")
		if got := f.lead(t); got != c {
			t.Fatal("another connection")
		}
		if n, err := c.TryRead(buf); err != nil || string(buf[:n]) != "hello" {
			t.Fatalf("TryRead = %q, %v", buf[:n], err)
		}
		if !c.Drained() {
			t.Error("a short read did not drain")
		}
	}
	client.Close()
	f.park(t, c, None)
	f.lead(t)
	if _, err := c.TryRead(buf); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	c.Close()
	if f.removed.Load() != 1 {
		t.Error("it was not removed once")
	}
	if c.Close() != nil || f.removed.Load() != 1 {
		t.Error("a second Close does something")
	}
}

func TestBytesThatCameBeforeParkingAreSeen(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	io.WriteString(client, "early")
	f.park(t, c, None) // this registers c, which reports the data
	if f.lead(t) != c {
		t.Fatal("another connection")
	}
	c.Close()
}

func TestSilentConnectionExpires(t *testing.T) {
	f := newFixture(t, map[Class]time.Duration{Header: time.Millisecond, Idle: time.Hour})
	f.dial(t)
	f.dial(t)
	first := f.lead(t)
	f.park(t, first, Idle)
	second := f.lead(t)
	f.park(t, second, Header)
	if got := <-f.expired; got != second {
		t.Error("the wrong one expired")
	}
	if !first.Parked() {
		t.Error("the other is not parked any more")
	}
}

func TestHeaderDeadlineIsNotMovedByBytes(t *testing.T) {
	f := newFixture(t, map[Class]time.Duration{Header: 30 * time.Millisecond})
	client := f.dial(t)
	c := f.lead(t)
	f.park(t, c, Header)
	stop := make(chan struct{})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				if _, err := client.Write([]byte("x")); err != nil {
					return
				}
			}
		}
	}()
	led := make(chan error, 1)
	go func() {
		buf := make([]byte, 16)
		for {
			batch, err := f.Lead(nil)
			for _, c := range batch {
				c.TryRead(buf)
				if ok, perr := c.Park(Header); !ok && perr != nil {
					err = perr
					c.Close()
				}
			}
			if err != nil {
				led <- err
				return
			}
		}
	}()
	select {
	case <-f.expired:
	case err := <-led:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		led <- nil
	}
	close(stop)
	<-sent
	f.Set.Close()
	<-led
}

func TestClosedSetEndsItsLeader(t *testing.T) {
	f := newFixture(t, nil)
	led := make(chan error)
	go func() {
		_, err := f.Lead(nil)
		led <- err
	}()
	f.Close()
	if err := <-led; err == nil {
		t.Error("no error")
	}
}
