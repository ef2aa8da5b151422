//go:build linux && !recycling_nopark

package park

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/recycling-go/recycling/listener"
)

func TestReadWaitsAndDeadlineEndsIt(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	defer c.Close()
	time.AfterFunc(5*time.Millisecond, func() { io.WriteString(client, "late") })
	buf := make([]byte, 16)
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "late" {
		t.Fatalf("Read = %q, %v", buf[:n], err)
	}
	time.AfterFunc(5*time.Millisecond, func() { c.SetReadDeadline(time.Unix(1, 0)) })
	_, err := c.Read(buf)
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read = %v, want a timeout", err)
	}
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "read" {
		t.Errorf("Read = %#v, want a net.OpError", err)
	}
	io.WriteString(client, "more")
	if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read after the deadline = %v", err)
	}
	c.SetReadDeadline(time.Time{})
	if _, err := c.Read(buf); err != nil {
		t.Error(err)
	}
}

func TestWriteWaitsForASlowReader(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	defer c.Close()
	const size = 8 << 20
	got := make(chan int64, 1)
	go func() {
		n, _ := io.CopyN(io.Discard, client, size)
		got <- n
	}()
	if n, err := c.Write(make([]byte, size)); n != size || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	if n := <-got; n != size {
		t.Errorf("the client got %d", n)
	}
	c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	const more = 64 << 20 // more than the buffers of both sockets hold, which have grown
	if n, err := c.Write(make([]byte, more)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write = %d, %v to a client that does not read", n, err)
	}
}

func TestLocalAddrOutlivesTheConnection(t *testing.T) {
	f := newFixture(t, nil)
	l, err := (&listener.Config{DeferAccept: -1}).Listen(t.Context(), "tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	raw, _ := listener.NewRaw(l)
	if err := f.Listen(raw, false, f.newConn, nil); err != nil {
		t.Fatal(err)
	}
	other := fmt.Sprint("127.0.0.2:", l.Addr().(*net.TCPAddr).Port)
	for _, test := range []struct {
		addr        string
		asked       bool // whether LocalAddr is called while c is open
		open, after string
	}{
		{f.addr, false, "", f.addr},
		{f.addr, true, f.addr, f.addr},
		{other, true, other, other},
		{other, false, "", l.Addr().String()}, // the address is no longer known
	} {
		client, err := net.Dial("tcp", test.addr)
		if err != nil {
			t.Fatal(err)
		}
		c := f.lead(t)
		if test.asked {
			if a := c.LocalAddr(); a == nil || a.String() != test.open {
				t.Errorf("of %s: %v, want %v", test.addr, a, test.open)
			}
		}
		c.Close()
		client.Close()
		if a := c.LocalAddr(); a == nil || a.String() != test.after {
			t.Errorf("of %s, closed, asked before: %v: %v, want %v", test.addr, test.asked, a, test.after)
		}
	}
	f.Unlisten(raw)
}

func TestAbandonedConnectionFails(t *testing.T) {
	f := newFixture(t, nil)
	f.dial(t)
	f.dial(t)
	c, d := f.lead(t), (*Conn)(nil)
	f.park(t, c, None)
	d = f.lead(t)
	if !c.Abandon() {
		t.Error("a parked connection is not the caller's")
	}
	c.Close()
	read := readOne(d)
	if d.Abandon() {
		t.Error("one that a worker has is the caller's")
	}
	if err := <-read; err == nil {
		t.Error("its read did not fail")
	}
	if ok, err := d.Park(None); ok || err == nil {
		t.Error("it parked")
	}
	d.Close()
}
