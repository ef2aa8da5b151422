package recycling_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

func TestRunEndsWithItsContextWhenEverythingIsDrained(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		g := newGate(t)
		addr := make(chan net.Addr, 1)
		s := recycling.New(http.HandlerFunc(g.serve), recycling.Addr("127.0.0.1:0"), func(s *recycling.Server) {
			s.Strategy = m.strategy
			s.HTTP.BaseContext = func(l net.Listener) context.Context {
				addr <- l.Addr()
				return context.Background()
			}
		})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx, nil) }()
		c := dialTo(t, receive(t, addr, "Run to listen"))
		c.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		cancel()
		select {
		case err := <-done:
			t.Fatalf("Run returned %v before the request was answered", err)
		case <-time.After(time.Millisecond):
		}
		g.open()
		if _, body := c.response(); body != "answer" {
			t.Errorf("answer %q", body)
		}
		if err := receive(t, done, "Run"); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunAbandonsWhatDoesNotDrain(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn}, func(t *testing.T, m mode) {
		g := newGate(t)
		addr := make(chan net.Addr, 1)
		s := recycling.New(http.HandlerFunc(g.serve), recycling.Addr("127.0.0.1:0"), func(s *recycling.Server) {
			s.Strategy, s.DrainTimeout = m.strategy, time.Millisecond
			s.HTTP.BaseContext = func(l net.Listener) context.Context {
				addr <- l.Addr()
				return context.Background()
			}
		})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx, nil) }()
		dialTo(t, receive(t, addr, "Run to listen")).send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		cancel()
		err := receive(t, done, "Run")
		var abandon *recycling.AbandonError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &abandon) || abandon.Workers != 1 {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestReadyUntilToldToEnd(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		s := &recycling.Server{HTTP: &http.Server{}, Strategy: m.strategy, LameDuck: time.Second}
		mux := http.NewServeMux()
		mux.HandleFunc("/", hello)
		mux.HandleFunc("/ready", s.Ready)
		s.HTTP.Handler = mux
		l, err := listenOwn()
		if err != nil {
			t.Fatal(err)
		}
		status := func() int {
			c := dialTo(t, l.Addr())
			c.send("GET /ready HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			res, _ := c.response()
			return res.StatusCode
		}
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, func() error { return s.Serve(l) }) }()
		if got := status(); got != http.StatusOK {
			t.Errorf("ready: %d", got)
		}
		begin := time.Now()
		cancel()
		// Wait until it has noticed.
		for got := status(); got != http.StatusServiceUnavailable; got = status() {
			if got != http.StatusOK {
				t.Fatalf("ready: %d", got)
			}
		}
		dialTo(t, l.Addr()).get("/")
		if err := receive(t, ended, "the end"); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d < s.LameDuck {
			t.Errorf("it ended after %v", d)
		}
	})
}

// During LameDuck, responses say "Connection: close", and nothing else changes.
func TestLameDuckAnswersSayClose(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		s := &recycling.Server{Strategy: m.strategy, HTTP: &http.Server{Handler: http.HandlerFunc(hello)}, LameDuck: time.Hour}
		ctx, end := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, func() error { return s.Serve(l) }) }()
		idle, silent := dialTo(t, l.Addr()), dialTo(t, l.Addr())
		idle.get("/")
		end()
		ready := func() bool {
			c := dialTo(t, l.Addr()) // new connections are served
			c.send(get)
			res, body := c.response()
			if res.StatusCode != http.StatusOK || body != "hello" {
				t.Fatalf("answered with %v", res)
			}
			return res.Close
		}
		eventually(t, "answers to say close", ready)
		for _, c := range []*client{idle, silent} {
			c.send(get)
			if res, _ := c.response(); !res.Close {
				t.Error("the answer does not say close")
			}
			c.ended()
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		receive(t, ended, "Until")
	})
}

// An anonymous is a listener without an address.
type anonymous struct{ net.Listener }

func (anonymous) Addr() net.Addr { return nil }

func TestRunServesAListenerWithoutAnAddress(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		l, err := listenNet()
		if err != nil {
			t.Fatal(err)
		}
		s := &recycling.Server{HTTP: &http.Server{Handler: http.HandlerFunc(hello)}, Strategy: m.strategy}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx, func() error { return s.Serve(anonymous{l}) }) }()
		if got := dialTo(t, l.Addr()).get("/"); got != "hello" {
			t.Errorf("answer %q", got)
		}
		cancel()
		if err := receive(t, done, "Run"); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunReportsAnInvalidSettingEvenIfItsContextHasEnded(t *testing.T) {
	parallel(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		if err := (&recycling.Server{HealthPath: "health"}).Run(ctx, nil); err == nil || !strings.Contains(err.Error(), "HealthPath") {
			t.Fatalf("Run returned %v, want an error that names HealthPath", err)
		}
	}
}
