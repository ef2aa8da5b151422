package park

import (
	"net"
	"sync"
	"testing"
	"time"
)

// The race detector fails this test if Add changes a connection that others see already.
func TestConnectionIsCompleteWhenOthersSeeIt(t *testing.T) {
	set, err := NewSet(Config{WriteStall: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	var checks sync.WaitGroup
	added := make(chan struct{})
	checks.Go(func() {
		for {
			select {
			case <-added:
				return
			default:
				set.Each((*Conn).stallCheck)
			}
		}
	})
	for range 1000 {
		client, server := net.Pipe()
		c := &Conn{Owner: nobody{}}
		set.Add(c, server)
		c.Close()
		client.Close()
	}
	close(added)
	checks.Wait()
	set.checkWrites() // there is none left, so it stops its timer
}
