//go:build linux && !recycling_nopark

package park

import (
	"io"
	"net"
	"testing"
)

func TestWatchTellsWhenTheClientHangsUp(t *testing.T) {
	f := newFixture(t, nil)
	for _, when := range []string{"before", "after"} {
		client := f.dial(t)
		c := f.lead(t)
		gone := make(chan struct{})
		if when == "before" {
			client.(*net.TCPConn).CloseWrite()
		}
		c.Watch(func() { close(gone) })
		if when == "after" {
			client.Close()
		}
		led := make(chan struct{})
		go func() { // the leader gets the event while the connection is held
			defer close(led)
			f.Lead(nil)
		}()
		<-gone
		f.dial(t) // so that Lead returns
		<-led
		c.Close()
	}
}

func TestUnreadBytesAreNotAHangUp(t *testing.T) {
	f := newFixture(t, nil)
	client := f.dial(t)
	c := f.lead(t)
	defer c.Close()
	io.WriteString(client, "next request")
	client.(*net.TCPConn).CloseWrite()
	gone := make(chan struct{})
	c.Watch(func() { close(gone) })
	f.dial(t)
	f.lead(t).Close()
	select {
	case <-gone:
		t.Fatal("gone, with bytes unread")
	default:
	}
	c.Read(make([]byte, 64))
	c.Recheck()
	<-gone
}
