//go:build linux && !recycling_nopark

package park

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

var serverConfig = sync.OnceValue(func() *tls.Config {
	cert, err := selfsigned.New()
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}}
})

// secure returns a TLS connection, its client, and the client's raw connection.
func (f *fixture) secure(t *testing.T) (*Conn, *tls.Conn, net.Conn) {
	t.Helper()
	raw := f.dial(t)
	raw.SetDeadline(time.Now().Add(20 * time.Second))
	client := tls.Client(&holding{Conn: raw}, &tls.Config{InsecureSkipVerify: true})
	c := f.lead(t)
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	if err := c.Secure(serverConfig()).Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return c, client, raw
}

// leadOn leads until the test is over. It expects Lead to return no connections.
func (f *fixture) leadOn(t *testing.T) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := f.Lead(nil); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { f.Set.Close(); <-ended })
}

func TestSecureConnectionComesBackWithItsBytes(t *testing.T) {
	f := newFixture(t, nil)
	c, client, raw := f.secure(t)
	buf := make([]byte, 100)
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
	}

	// An incomplete record is kept, and does not prevent parking.
	f.park(t, c, None)
	raw.(*net.TCPConn).SetNoDelay(true)
	for _, b := range record(t, client, "hello") {
		raw.Write([]byte{b})
		f.lead(t)
		n, err := c.TryRead(buf)
		if err == nil {
			if string(buf[:n]) != "hello" {
				t.Errorf("TryRead = %q", buf[:n])
			}
			break
		}
		if err != ErrWait {
			t.Fatal(err)
		}
		f.park(t, c, None)
	}
	c.Close()
	if _, err := client.Read(buf); err != io.EOF {
		t.Errorf("after Close the client reads %v", err)
	}
	if c.Close() != nil || f.removed.Load() != 1 {
		t.Error("it was not removed once")
	}
}

// record returns the record that c would send for s.
func record(t *testing.T, c *tls.Conn, s string) []byte {
	t.Helper()
	hold := c.NetConn().(*holding)
	var b []byte
	hold.held = &b
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
	hold.held = nil
	return b
}

// A holding is a connection that can hold back what is written.
type holding struct {
	net.Conn
	held *[]byte
}

func (h *holding) Write(p []byte) (int, error) {
	if h.held != nil {
		*h.held = append(*h.held, p...)
		return len(p), nil
	}
	return h.Conn.Write(p)
}

// A recheck that finds another one running must still take effect.
func TestSecureWatchMissesNoEnd(t *testing.T) {
	f := newFixture(t, nil)
	var all []*Conn
	for range 100 {
		c, client, raw := f.secure(t)
		all = append(all, c)
		gone := make(chan struct{})
		c.Watch(func() { close(gone) })
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 20 {
					c.Recheck()
				}
			})
		}
		client.CloseWrite()
		group.Go(c.Recheck) // as for the event that announces this
		group.Wait()
		for { // the client's bytes may have been in flight
			select {
			case <-gone:
			default:
				c.Recheck()
				continue
			}
			break
		}
		raw.Close()
	}
	for _, c := range all {
		c.Close()
	}
}

// A recheck does not read from a connection that has been given away.
func TestSecureConnectionIsDetachedWhileWatched(t *testing.T) {
	f := newFixture(t, nil)
	type pair struct {
		c      *Conn
		client *tls.Conn
	}
	var all []pair
	for range 100 {
		c, client, _ := f.secure(t)
		all = append(all, pair{c, client})
	}
	f.leadOn(t)
	for _, p := range all {
		p.c.Watch(func() { t.Error("the client is gone") })
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			io.WriteString(p.client, "one")
			io.WriteString(p.client, "two")
			p.client.CloseWrite()
		}()
		go p.c.Recheck()
		nc, early, err := p.c.Detach()
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(20 * time.Second))
		rest, err := io.ReadAll(nc)
		if got := string(early) + string(rest); got != "onetwo" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		<-sent
		nc.Close()
	}
}

// A late Watch, by a goroutine that was left behind, must not use the descriptor.
func TestSecureConnectionIsClosedWhileWatched(t *testing.T) {
	f := newFixture(t, nil)
	for range 100 {
		c, client, _ := f.secure(t)
		io.WriteString(client, "hello")
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() { c.Watch(func() {}) })
		}
		c.Close()
		group.Wait()
	}
	if n := f.removed.Load(); n != 100 {
		t.Errorf("%d connections were removed", n)
	}
}

// A close_notify that did not fit is sent when there is room, unless the connection is abandoned.
func TestSecureCloseSendsTheRestByItself(t *testing.T) {
	for _, abandoned := range []bool{false, true} {
		f := newFixture(t, nil)
		c, _, raw := f.secure(t)
		if abandoned {
			c.Abandon()
		}
		c.sec.Load().wire.unsent = []byte("rest")
		c.Close()
		got, _ := io.ReadAll(raw)
		if sent := strings.HasSuffix(string(got), "rest"); sent == abandoned {
			t.Errorf("abandoned: %v, sent: %v", abandoned, sent)
		}
		for deadline := time.Now().Add(20 * time.Second); f.removed.Load() == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("it is not removed")
			}
		}
	}
}

// A client cannot keep an idle connection open by sending parts of a record repeatedly.
func TestSecureIdleTimeIsOver(t *testing.T) {
	const timeout = 100 * time.Millisecond
	f := newFixture(t, map[Class]time.Duration{Idle: timeout})
	c, _, raw := f.secure(t)
	io.WriteString(raw, "\x17\x03\x03\x40\x00")
	ready, ended := make(chan *Conn), make(chan struct{})
	go func() {
		defer close(ready)
		for {
			batch, err := f.Lead(nil)
			if err != nil {
				return
			}
			select {
			case ready <- batch[0]:
			case <-ended:
			}
		}
	}()
	t.Cleanup(func() { f.Set.Close(); close(ended); <-ready })
	buf := make([]byte, 10)
	for begin := time.Now(); time.Since(begin) < 100*timeout; {
		c.Resume(Idle)
		if _, err := c.TryRead(buf); err != ErrWait {
			t.Fatal(err)
		}
		switch parked, err := c.Park(Idle); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.Close()
			return
		case !parked:
			continue
		}
		raw.Write([]byte("x"))
		select {
		case <-f.expired:
			return
		case <-ready:
		}
	}
	t.Error("it goes on and on")
	c.Close()
}
