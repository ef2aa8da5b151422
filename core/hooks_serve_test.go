package recycling_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// An application may close its listener with a mutex held that a hook waits for, as package
// httptest does. Then Serve returns only after the hook, as net/http's does.
func TestServeReturnsAfterHooksThatWaitForWhoeverClosesTheListener(t *testing.T) {
	parallel(t)
	for _, strategy := range []recycling.Strategy{recycling.Recycling, recycling.Fixed, recycling.Goroutine} {
		t.Run(string(strategy), func(t *testing.T) {
			l, err := listener.Listen(context.Background(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			entered, called, served := make(chan bool, 1), make(chan bool, 1), make(chan bool)
			s := recycling.New(http.HandlerFunc(hello))
			s.Strategy = strategy
			s.HTTP.ConnState = func(_ net.Conn, state http.ConnState) {
				if state != http.StateNew {
					return
				}
				entered <- true
				defer func() { called <- true }()
				mu.Lock()
				defer mu.Unlock()
				select {
				case <-served:
					t.Error("Serve has returned before the hook of a connection that it has accepted")
				case <-time.After(50 * time.Millisecond):
				}
			}
			go func() {
				s.Serve(l)
				close(served)
			}()
			mu.Lock()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Write([]byte("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"))
			receive(t, entered, "the hook")
			l.Close()
			mu.Unlock()
			<-served
			receive(t, called, "the end of the hook")
			s.Close()
		})
	}
}
