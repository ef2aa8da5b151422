package recycling_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// A goroutine that a handler leaves behind may use everything that the handler was given, even at
// the moment when the handler returns. The race detector must not find the server taking it away.
func TestWhatIsKeptMayBeUsedWhileTheHandlerReturns(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		var left sync.WaitGroup
		quiet := &http.Server{ErrorLog: log.New(io.Discard, "", 0)}
		s := m.start(t, &recycling.Server{HTTP: quiet}, func(w http.ResponseWriter, r *http.Request) {
			ctx, body := r.Context(), r.Body
			control := http.NewResponseController(w)
			for _, use := range []func(){
				func() { ctx.Value(http.LocalAddrContextKey) },
				func() { ctx.Value(http.ServerContextKey) },
				func() { ctx.Err() },
				func() { context.AfterFunc(ctx, func() {}) },
				func() {
					child, cancel := context.WithCancel(ctx)
					defer cancel()
					<-child.Done()
				},
				func() { body.Read(make([]byte, 1)) },
				func() { body.Close() },
				func() { control.SetReadDeadline(time.Time{}) },
				func() { control.SetWriteDeadline(time.Time{}) },
				func() { control.Flush() },
				func() { w.Write([]byte("late")) },
				func() { w.WriteHeader(200) },
				func() { w.(io.ReaderFrom).ReadFrom(new(net.Buffers)) },
				func() { control.EnableFullDuplex() },
			} {
				begun := make(chan struct{})
				left.Go(func() {
					close(begun)
					for range 20 {
						use()
					}
				})
				<-begun
			}
		})
		for i := range 50 {
			c, err := net.Dial("tcp", s.addr.String())
			if err != nil {
				t.Fatal(err)
			}
			request := "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
			if i%2 > 0 {
				request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody"
			}
			io.WriteString(c, request)
			http.ReadResponse(bufio.NewReader(c), nil)
			c.Close()
		}
		// A response may come before its handler has left all goroutines behind.
		if err := receive(t, s.shutdown(t.Context()), "Shutdown to return"); err != nil {
			t.Error(err)
		}
		left.Wait()
	})
}

// After its request, a context has the same values as before, but has ended.
func TestKeptContextHasItsValues(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		var kept context.Context
		var addr any
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			kept, addr = r.Context(), r.Context().Value(http.LocalAddrContextKey)
		})
		c, err := net.Dial("tcp", s.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
		io.ReadAll(c)
		<-kept.Done()
		if got := kept.Value(http.LocalAddrContextKey); fmt.Sprint(got) != fmt.Sprint(addr) || fmt.Sprint(addr) != s.addr.String() {
			t.Errorf("LocalAddrContextKey is %v, was %v", got, addr)
		}
		if got := kept.Value(http.ServerContextKey); got != s.HTTP {
			t.Errorf("ServerContextKey is %v", got)
		}
		if recycling.FromContext(kept) != s.Server {
			t.Errorf("FromContext returns another server")
		}
	})
}
