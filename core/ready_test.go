package recycling_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// whyNotReady calls Ready outside of any server.
func whyNotReady(s *recycling.Server) string {
	w := httptest.NewRecorder()
	s.Ready(w, httptest.NewRequest("GET", "/readyz", nil))
	return fmt.Sprint(w.Code, " ", strings.TrimSpace(w.Body.String()))
}

func TestReadySaysWhyNot(t *testing.T) {
	parallel(t)
	forEach(t, ownModes, func(t *testing.T, m mode) {
		g := newGate(t)
		serve := make(chan struct{})
		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		s := &recycling.Server{Strategy: m.strategy, HTTP: &http.Server{Handler: http.HandlerFunc(g.serve)}, LameDuck: 100 * time.Second, DrainTimeout: 23 * time.Second}
		began := make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- s.Run(ctx, func() error {
				close(began)
				<-serve
				return s.Serve(l)
			})
		}()
		receive(t, began, "Run")
		if got := whyNotReady(s); got != "503 not ready: not serving yet" {
			t.Error(got)
		}
		close(serve)
		c := dialTo(t, l.Addr())
		c.get("/")
		if got := whyNotReady(s); got != "200 ready" {
			t.Error(got)
		}
		stop()
		<-s.Draining()
		receive(t, s.Draining(), "draining")
		var left float64
		if n, err := fmt.Sscanf(whyNotReady(s), "503 not ready: draining, %f s left", &left); n != 1 || left > 123 || left < 123-patience.Seconds() {
			t.Error(whyNotReady(s), err)
		}
		s.Close()
		if got := whyNotReady(s); got != "503 not ready: closed" {
			t.Error(got)
		}
		receive(t, done, "Run")
	})
}

func TestReadySaysThatShutdownDrains(t *testing.T) {
	parallel(t)
	forEach(t, ownModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{}, g.serve)
		c := s.dial(t)
		c.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		done := s.shutdown(context.Background())
		receive(t, s.Draining(), "draining")
		if got := whyNotReady(s.Server); got != "503 not ready: draining" {
			t.Error(got)
		}
		g.open()
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Error(err)
		}
		if got := whyNotReady(s.Server); got != "503 not ready: closed" {
			t.Error(got)
		}
	})
}

// lameDuck runs a server with a LameDuck of 100 seconds in a bubble, calls send during that time,
// and returns how long Run took to return.
func lameDuck(t *testing.T, s *recycling.Server, send func(s *recycling.Server, request func(path string))) (took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		mux := http.NewServeMux()
		mux.HandleFunc("/", hello)
		mux.Handle("/v1/", http.StripPrefix("/v1", http.HandlerFunc(s.Ready)))
		s.HTTP, s.LameDuck, s.Log = &http.Server{Handler: mux}, 100*time.Second, slog.New(slog.DiscardHandler)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx, func() error { return s.Serve(l) }) }()
		synctest.Wait()
		begin := time.Now()
		stop()
		<-s.Draining()
		traffic := sync.WaitGroup{}
		traffic.Go(func() {
			send(s, func(path string) {
				ours, theirs := net.Pipe()
				defer ours.Close()
				select {
				case l.conns <- theirs:
				case <-l.closed:
					return
				}
				fmt.Fprintf(ours, "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path)
				io.Copy(io.Discard, ours)
			})
		})
		err := <-done
		took = time.Since(begin)
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		traffic.Wait()
	})
	return took
}

// every calls f every second for n seconds.
func every(n int, f func()) {
	for range n {
		f()
		time.Sleep(time.Second)
	}
}

func TestLameDuckIsSkippedOnceTrafficHasBeenQuiet(t *testing.T) {
	parallel(t)
	const all, most = 100 * time.Second, 101 * time.Second
	for _, test := range []struct {
		name     string
		traffic  func(s *recycling.Server, request func(path string))
		min, max time.Duration
	}{
		{"no health checks", func(*recycling.Server, func(string)) {}, all, most},
		{"two health checks", func(s *recycling.Server, request func(string)) { every(2, func() { request("/v1/readyz") }) }, all, most},
		{"three health checks", func(s *recycling.Server, request func(string)) {
			every(3, func() { request("/v1/readyz") })
		}, 22 * time.Second, 30 * time.Second},
		{"health checks that go on", func(s *recycling.Server, request func(string)) {
			every(100, func() { request("/v1/readyz") })
		}, 22 * time.Second, 30 * time.Second},
		{"health checks and liveness checks", func(s *recycling.Server, request func(string)) {
			every(100, func() { request("/v1/readyz"); request("/livez?x") })
		}, 22 * time.Second, 30 * time.Second},
		{"health checks by another server", func(s *recycling.Server, request func(string)) {
			every(100, func() { whyNotReady(s) })
		}, 22 * time.Second, 30 * time.Second},
		{"requests that go on for a minute", func(s *recycling.Server, request func(string)) {
			every(60, func() { request("/"); request("/v1/readyz") })
		}, 79 * time.Second, 86 * time.Second},
		{"requests that go on", func(s *recycling.Server, request func(string)) {
			every(200, func() { request("/"); request("/v1/readyz") })
		}, all, most},
		{"a request now and then", func(s *recycling.Server, request func(string)) {
			every(200, func() {
				request("/v1/readyz")
				if time.Now().Second()%15 == 0 {
					request("/")
				}
			})
		}, all, most},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &recycling.Server{Strategy: recycling.Recycling, HealthPath: "/livez"}
			if got := lameDuck(t, s, test.traffic); got < test.min || got > test.max {
				t.Errorf("LameDuck took %v, want %v to %v", got, test.min, test.max)
			}
		})
	}
	t.Run("goroutine", func(t *testing.T) {
		got := lameDuck(t, &recycling.Server{Strategy: recycling.Goroutine}, func(s *recycling.Server, request func(string)) {
			every(20, func() { whyNotReady(s) })
		})
		if got < all || got > most {
			t.Errorf("LameDuck took %v, want %v", got, all)
		}
	})
}

// Strategy fixed cannot run in a bubble, because package pond has global workers.
func TestLameDuckIsSkippedUnderEveryStrategyButGoroutine(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		t.Parallel()
		s := m.run(t, &recycling.Server{LameDuck: 10 * time.Second}, http.HandlerFunc(hello))
		c := dialTo(t, s.addr)
		c.get("/")
		begin := time.Now()
		s.stop()
		receive(t, s.Draining(), "draining")
		for range 3 {
			whyNotReady(s.Server)
		}
		if err := receive(t, s.done, "Run"); err != nil {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(begin); d < 2*time.Second || d >= s.LameDuck {
			t.Errorf("LameDuck took %v, want 2 seconds or a little more", d)
		}
	})
}

// An HTTP/2 connection may carry further requests unseen while one of its streams is open.
func TestHTTP2StreamKeepsLameDuckGoing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn}, func(t *testing.T, m mode) {
		t.Parallel()
		g := newGate(t)
		var p http.Protocols
		p.SetHTTP1(true)
		p.SetUnencryptedHTTP2(true)
		s := m.run(t, &recycling.Server{HTTP: &http.Server{Protocols: &p}, LameDuck: 10 * time.Second}, http.HandlerFunc(g.serve))
		var h2 http.Protocols
		h2.SetUnencryptedHTTP2(true)
		client := &http.Client{Transport: &http.Transport{Protocols: &h2}, Timeout: patience}
		defer client.CloseIdleConnections()
		answered := make(chan error, 1)
		go func() {
			res, err := client.Get("http://" + s.addr.String() + "/wait")
			if err == nil {
				res.Body.Close()
			}
			answered <- err
		}()
		receive(t, g.entered, "the stream")
		begin := time.Now()
		s.stop()
		receive(t, s.Draining(), "draining")
		for range 3 {
			whyNotReady(s.Server)
		}
		const open = 2500 * time.Millisecond
		time.AfterFunc(open, g.open)
		if err := receive(t, answered, "the response"); err != nil {
			t.Error(err)
		}
		if err := receive(t, s.done, "Run"); err != nil {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(begin); d < open+2*time.Second {
			t.Errorf("LameDuck was skipped: Run took %v", d)
		}
	})
}
