//go:build !recycling_nopark

package park

import (
	"syscall"
	"testing"
	"time"
)

// A client that does not read, and makes package tls reply (here with an invalid record, which
// causes an alert), does not block a recheck.
func TestSecureRecheckDoesNotWaitForAClientThatDoesNotRead(t *testing.T) {
	for _, direct := range []bool{false, true} {
		f := newFixture(t, nil)
		c, _, raw := f.secure(t)
		if direct {
			if _, err := c.NetConn(); err != nil {
				t.Fatal(err)
			}
			if !c.Direct() {
				t.Fatal("this version of package tls has no place for the net.Conn")
			}
		}
		full := make([]byte, 64<<10)
		for deadline := time.Now().Add(100 * time.Millisecond); time.Now().Before(deadline); {
			if _, err := c.tryWrite(full); err == syscall.EAGAIN {
				time.Sleep(time.Millisecond) // the client's kernel makes some room
			}
		}
		for out := true; out; { // a byte may fit where a record does not
			_, err := c.tryWrite(full[:1])
			out = err == nil
		}
		raw.Write(append([]byte{23, 3, 3, 0, 64}, make([]byte, 64)...))
		done := make(chan struct{})
		go func() {
			defer close(done)
			gone := make(chan struct{})
			c.Watch(func() { close(gone) })
			for {
				c.Recheck()
				select {
				case <-gone:
					c.Unwatch()
					return
				case <-time.After(time.Millisecond):
				}
			}
		}()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Errorf("direct %v: it waits", direct)
		}
		raw.Close()
		<-done
		c.Close()
	}
}
