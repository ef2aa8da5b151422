package recycling_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// hijack takes over the connection of a WebSocket-like handler, and says so to the client.
func hijack(t *testing.T, w http.ResponseWriter) net.Conn {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		panic(http.ErrAbortHandler)
	}
	io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n")
	return c
}

func TestRunWaitsForHijackedConnections(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		finish := make(chan struct{})
		s := m.run(t, &recycling.Server{DrainTimeout: time.Hour}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := hijack(t, w)
			defer c.Close()
			<-recycling.FromContext(r.Context()).Draining()
			io.WriteString(c, "bye")
			<-finish
		}))
		c := dialTo(t, s.addr)
		c.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n")
		c.response()
		if st := s.Stats(); st.Hijacked != 1 || st.HijackedBusy != 1 || st.Open != 0 {
			t.Errorf("while the handler runs: %+v", st)
		}
		s.stop()
		rest := make([]byte, 3)
		if _, err := io.ReadFull(c.r, rest); string(rest) != "bye" || err != nil {
			t.Errorf("the last message is %q, %v", rest, err)
		}
		select {
		case err := <-s.done:
			t.Fatalf("Run returned %v before the handler", err)
		case <-time.After(time.Millisecond):
		}
		close(finish)
		if err := receive(t, s.done, "Run"); err != nil {
			t.Errorf("Run: %v", err)
		}
		if st := s.Stats(); st.Hijacked != 1 || st.HijackedBusy != 0 {
			t.Errorf("at the end: %+v", st)
		}
	})
}

func TestHijackedConnectionsAreAbandonedAndLogged(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.run(t, &recycling.Server{DrainTimeout: 10 * time.Millisecond}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer hijack(t, w).Close()
			<-g.opened
		}))
		c := dialTo(t, s.addr)
		c.send(get)
		c.response()
		s.stop()
		err := receive(t, s.done, "Run")
		var abandoned *recycling.AbandonError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &abandoned) || abandoned.Hijacked != 1 || abandoned.Workers != 0 {
			t.Errorf("Run returned %v", err)
		}
		if !strings.Contains(s.log.String(), `level=WARN msg="recycling: drained" connections=0 abandoned=0 hijacked=1 hook=false after=`) {
			t.Errorf("Log has\n%s", s.log)
		}
		if err := s.Shutdown(context.Background()); err != nil { // it is net/http's
			t.Errorf("Shutdown: %v", err)
		}
	})
}

func TestHandlersOfHijackedConnectionsAreCountedHoweverTheyEnd(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{HTTP: &http.Server{ErrorLog: quiet().ErrorLog}}, func(w http.ResponseWriter, r *http.Request) {
			c := hijack(t, w)
			if r.URL.Path == "/leave" {
				go func() {
					defer c.Close()
					<-g.opened
				}()
				return
			}
			defer c.Close()
			<-g.opened
			switch r.URL.Path {
			case "/panic":
				panic("a handler's own")
			case "/goexit":
				if m.strategy == recycling.Recycling {
					runtime.Goexit()
				}
			}
		})
		for _, path := range []string{"/leave", "/panic", "/goexit", "/return"} {
			c := s.dial(t)
			c.send("GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path)
			c.response()
		}
		s.await(t, "three handlers", func(st recycling.Stats) bool { return st.HijackedBusy == 3 && st.Hijacked == 4 })
		g.open()
		s.await(t, "their end", func(st recycling.Stats) bool { return st.HijackedBusy == 0 })
	})
}

func TestRunLogsWhatItWaitsFor(t *testing.T) {
	parallel(t)
	synctest.Test(t, func(t *testing.T) {
		log := new(logBuffer)
		l, g := newPipeListener(), newGate(t)
		s := &recycling.Server{Strategy: recycling.Recycling, DrainTimeout: 12 * time.Second, Log: slog.New(slog.NewTextHandler(log, nil))}
		s.HTTP = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hijack" {
				defer hijack(t, w).Close()
			}
			g.entered <- struct{}{}
			<-g.opened
		})}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx, func() error { return s.Serve(l) }) }()
		for _, path := range []string{"/hijack", "/wait", "/wait"} {
			ours, theirs := net.Pipe()
			defer ours.Close()
			l.conns <- theirs
			go io.Copy(io.Discard, ours)
			fmt.Fprintf(ours, "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path)
			<-g.entered
		}
		stop()
		time.Sleep(6 * time.Second)
		if want := `level=INFO msg="recycling: draining" requests=2 hijacked=1 hook=false after=5s`; !strings.Contains(log.String(), want) {
			t.Errorf("Log has\n%s\nwant %s", log, want)
		}
		err := <-done
		var abandoned *recycling.AbandonError
		if !errors.As(err, &abandoned) || abandoned.Hijacked != 1 || abandoned.Workers != 2 {
			t.Errorf("Run returned %v", err)
		}
		if want := `level=WARN msg="recycling: drained" connections=0 abandoned=2 hijacked=1 hook=false after=12.`; !strings.Contains(log.String(), want) {
			t.Errorf("Log has\n%s\nwant %s", log, want)
		}
		g.open()
	})
}
