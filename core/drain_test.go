package recycling_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// ownModes are the strategies, each with one kind of listener.
var ownModes = []mode{recyclingOwn, poolOwn, goroutineOwn}

// A running is a Server in Run.
type running struct {
	*recycling.Server
	addr net.Addr
	log  *logBuffer
	stop func() // ends the context of Run
	done chan error
}

// run runs s with h until stop is called, and closes it at the end of the test.
func (m mode) run(t *testing.T, s *recycling.Server, h http.Handler) *running {
	t.Helper()
	l, err := m.listen()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Server: s, addr: l.Addr(), log: new(logBuffer), done: make(chan error, 1)}
	s.Strategy, s.Log = m.strategy, slog.New(slog.NewTextHandler(r.log, nil))
	if s.HTTP == nil {
		s.HTTP = new(http.Server)
	}
	s.HTTP.Handler = h
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() { r.done <- s.Run(ctx, func() error { return s.Serve(l) }) }()
	t.Cleanup(func() {
		stop()
		s.Close()
	})
	return r
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// An events is a handler of server-sent events, which returns when draining begins.
type events struct{ began chan struct{} }

func (e events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	draining := recycling.FromContext(r.Context()).Draining()
	io.WriteString(w, "data: 1\n\n")
	w.(http.Flusher).Flush()
	e.began <- struct{}{}
	<-draining
	io.WriteString(w, "data: bye\n\n")
}

func TestStreamEndsWhenRunIsToldToStop(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		e := events{make(chan struct{}, 1)}
		s := m.run(t, &recycling.Server{LameDuck: time.Hour}, e)
		c := dialTo(t, s.addr)
		c.send(get)
		receive(t, e.began, "the stream")
		if isClosed(s.Draining()) {
			t.Fatal("draining has begun")
		}
		s.stop() // LameDuck has not passed when the stream ends
		if _, body := c.response(); body != "data: 1\n\ndata: bye\n\n" {
			t.Errorf("the stream is %q", body)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		receive(t, s.done, "Run")
	})
}

func TestRunReturnsNilSoonAfterAStreamHasEnded(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		e := events{make(chan struct{}, 1)}
		s := m.run(t, &recycling.Server{DrainTimeout: time.Hour}, e)
		c := dialTo(t, s.addr)
		c.send(get)
		receive(t, e.began, "the stream")
		s.stop()
		c.response()
		if err := receive(t, s.done, "Run"); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestDrainingBeginsWithShutdownAndClose(t *testing.T) {
	parallel(t)
	for name, end := range map[string]func(s *recycling.Server) error{
		"Shutdown":         func(s *recycling.Server) error { return s.Shutdown(context.Background()) },
		"Close":            (*recycling.Server).Close,
		"Shutdown of HTTP": func(s *recycling.Server) error { return s.HTTP.Shutdown(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, everyMode, func(t *testing.T, m mode) {
				calls := make(chan struct{}, 9)
				s := m.start(t, &recycling.Server{OnDrain: func(context.Context) { calls <- struct{}{} }}, hello)
				before := s.Draining()
				s.once(t, "/")
				if isClosed(before) {
					t.Fatal("draining has begun")
				}
				if err := end(s.Server); err != nil {
					t.Error(err)
				}
				receive(t, before, "draining")
				receive(t, s.Draining(), "draining")
				receive(t, calls, "OnDrain")
				s.Close()
				if len(calls) > 0 {
					t.Error("OnDrain was called again")
				}
			})
		})
	}
}

func TestDrainingOfAServerThatNeverServes(t *testing.T) {
	parallel(t)
	for name, end := range map[string]func(s *recycling.Server) error{
		"Shutdown": func(s *recycling.Server) error { return s.Shutdown(context.Background()) },
		"Close":    (*recycling.Server).Close,
	} {
		var s recycling.Server
		if isClosed(s.Draining()) {
			t.Errorf("draining before %s", name)
		}
		if err := end(&s); err != nil {
			t.Error(err)
		}
		if !isClosed(s.Draining()) {
			t.Errorf("not draining after %s", name)
		}
	}
	srv := new(http.Server)
	s := recycling.Use(srv)
	if isClosed(s.Draining()) {
		t.Error("Use drains")
	}
	srv.Shutdown(context.Background())
	receive(t, s.Draining(), "draining after Shutdown of the http.Server")
}

func TestDrainingOfNoServerIsNeverReady(t *testing.T) {
	parallel(t)
	if c := recycling.FromContext(t.Context()).Draining(); c != nil {
		t.Errorf("it returns %v, want nil", c)
	}
}

func TestStreamEndsWithItsHost(t *testing.T) {
	parallel(t)
	forEachHosting(t, func(t *testing.T, h hosting, m mode) {
		for name, end := range map[string]func(*http.Server) error{
			"Shutdown": func(s *http.Server) error { return s.Shutdown(context.Background()) },
			"Close":    (*http.Server).Close,
		} {
			t.Run(name, func(t *testing.T) {
				entered, left := make(chan struct{}, 1), make(chan struct{}, 1)
				s := h.start(t, m, func(srv *http.Server) {
					srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						entered <- struct{}{}
						if m.strategy == recycling.Goroutine && name == "Close" { // as documented
							<-r.Context().Done()
						} else {
							<-recycling.FromContext(r.Context()).Draining()
						}
						left <- struct{}{}
					})
				})
				c := s.dial(t, s.addr)
				c.send(get)
				receive(t, entered, "the handler")
				ended := make(chan error, 1)
				go func() { ended <- end(s.Server) }()
				receive(t, left, "the end of the stream")
				if err := receive(t, ended, name); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	})
}

func TestOnDrainRunsBesideDrainingAndRunWaitsForIt(t *testing.T) {
	parallel(t)
	forEach(t, ownModes, func(t *testing.T, m mode) {
		called, finish := make(chan context.Context, 9), make(chan struct{})
		s := m.run(t, &recycling.Server{DrainTimeout: time.Hour, OnDrain: func(ctx context.Context) {
			called <- ctx
			<-finish
		}}, http.HandlerFunc(hello))
		dialTo(t, s.addr).get("/")
		before := time.Now()
		s.stop()
		ctx := receive(t, called, "OnDrain")
		if at, ok := ctx.Deadline(); !ok || at.Before(before.Add(time.Hour)) || at.After(time.Now().Add(time.Hour)) {
			t.Errorf("the deadline is %v", at)
		}
		select {
		case err := <-s.done:
			t.Fatalf("Run returned %v before OnDrain", err)
		case <-time.After(time.Millisecond):
		}
		close(finish)
		if err := receive(t, s.done, "Run"); err != nil {
			t.Errorf("Run: %v", err)
		}
		if ctx.Err() == nil {
			t.Error("its context has not ended")
		}
		if s.Close(); len(called) > 0 {
			t.Error("OnDrain was called again")
		}
	})
}

func TestOnDrainThatDoesNotReturnIsAbandoned(t *testing.T) {
	parallel(t)
	forEach(t, ownModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.run(t, &recycling.Server{DrainTimeout: time.Millisecond, OnDrain: func(context.Context) { <-g.opened }}, http.HandlerFunc(hello))
		dialTo(t, s.addr).get("/")
		s.stop()
		if err := receive(t, s.done, "Run"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "OnDrain") {
			t.Errorf("Run returned %v", err)
		}
		if !strings.Contains(s.log.String(), `level=WARN msg="recycling: drained"`) || !strings.Contains(s.log.String(), " hook=true ") {
			t.Errorf("Log has\n%s", s.log)
		}
	})
}

func TestOnDrainMayTakeUntilItsContextEnds(t *testing.T) {
	parallel(t)
	forEach(t, ownModes, func(t *testing.T, m mode) {
		s := m.run(t, &recycling.Server{DrainTimeout: 100 * time.Millisecond, OnDrain: func(ctx context.Context) { <-ctx.Done() }}, http.HandlerFunc(hello))
		s.stop()
		if err := receive(t, s.done, "Run"); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestCloseEndsTheContextOfOnDrain(t *testing.T) {
	parallel(t)
	forEach(t, ownModes, func(t *testing.T, m mode) {
		returned := make(chan struct{}, 1)
		s := m.start(t, &recycling.Server{DrainTimeout: -1, OnDrain: func(ctx context.Context) {
			<-ctx.Done()
			returned <- struct{}{}
		}}, hello)
		if err := s.Shutdown(context.Background()); err != nil { // does not wait for OnDrain
			t.Error(err)
		}
		if len(returned) > 0 {
			t.Error("OnDrain has returned before Close")
		}
		s.Close()
		receive(t, returned, "OnDrain")
	})
}

func TestPanicOfOnDrainIsLogged(t *testing.T) {
	parallel(t)
	forEach(t, ownModes, func(t *testing.T, m mode) {
		s := m.run(t, &recycling.Server{OnDrain: func(context.Context) { panic("a hook's own") }}, http.HandlerFunc(hello))
		dialTo(t, s.addr).get("/")
		s.stop()
		if err := receive(t, s.done, "Run"); err != nil {
			t.Errorf("Run: %v", err)
		}
		if !strings.Contains(s.log.String(), `level=ERROR msg="recycling: panic in OnDrain: a hook's own`) {
			t.Errorf("Log has\n%s", s.log)
		}
	})
}
