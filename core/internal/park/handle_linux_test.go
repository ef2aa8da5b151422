//go:build linux && !recycling_nopark

package park

import (
	"io"
	"testing"
)

// A connection changes its kind while it is used, and works the same afterwards.
func TestConnectionOfEachKindReadsWritesAndEnds(t *testing.T) {
	wait := func(c *Conn) error { _, err := c.waiter(); return err }
	convert := func(c *Conn) error { _, err := c.NetConn(); return err }
	for _, test := range []struct {
		kind   kind
		become []func(*Conn) error
		after  kind // when it has ended
	}{
		{descriptor, nil, absent},
		{polled, []func(*Conn) error{wait, wait}, absent},
		{socket, []func(*Conn) error{convert, convert}, socket},
		{socket, []func(*Conn) error{wait, convert, wait}, socket},
	} {
		f := newFixture(t, nil)
		client := f.dial(t)
		c := f.lead(t)
		for _, become := range test.become {
			if err := become(c); err != nil {
				t.Fatal(err)
			}
		}
		if k := c.handle.kind; k != test.kind {
			t.Fatalf("the kind is %d, want %d", k, test.kind)
		}
		io.WriteString(client, "ping")
		buf := make([]byte, 4)
		if _, err := c.Read(buf[:2]); err != nil {
			t.Error(test.kind, err)
		}
		if n, err := c.Peek(buf); n != 2 || err != nil {
			t.Errorf("%d: Peek = %d, %v", test.kind, n, err)
		}
		if _, err := c.Write(buf); err != nil {
			t.Error(test.kind, err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Error(test.kind, err)
		}
		if got, err := io.ReadAll(client); len(got) != len(buf) || err != nil {
			t.Errorf("%d: the client got %q, %v", test.kind, got, err)
		}
		if err := c.Close(); err != nil {
			t.Error(test.kind, err)
		}
		if k := c.handle.kind; k != test.after || c.handle.fd != -1 {
			t.Errorf("it ends as kind %d with descriptor %d, want %d", k, c.handle.fd, test.after)
		}
		if err := c.CloseWrite(); err == nil {
			t.Error(test.kind, "CloseWrite after Close")
		}
	}
}
