package recycling_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

func TestCloseBeforeServeEndsTheServer(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := &recycling.Server{Strategy: m.strategy}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		serve(s, l).ended(t, http.ErrServerClosed)
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// untilCancelled returns a handler that returns when its connection is closed.
func untilCancelled(entered, left chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	}
}

func TestCloseDuringShutdownEndsBoth(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		entered, left := make(chan struct{}, 1), make(chan struct{}, 1)
		s := m.start(t, &recycling.Server{}, untilCancelled(entered, left))
		c := s.dial(t)
		c.send(get)
		receive(t, entered, "the handler")
		done := s.shutdown(context.Background())
		s.ended(t, http.ErrServerClosed)
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		receive(t, left, "the handler's context")
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		c.ended()
	})
}

// TestCloseFreesTheAddress does not run beside other tests. Some of them start processes, and a
// process that has begun exec has a copy of every descriptor for a moment: Linux lets the parent go
// on before it closes them.
func TestCloseFreesTheAddress(t *testing.T) {
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, hello)
		s.once(t, "/")
		c := s.dial(t)
		c.get("/")
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		l, err := net.Listen("tcp", s.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		s.ended(t, http.ErrServerClosed)
		c.ended()
	})
}

func TestCloseEndsConnectionsThatWait(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, hello)
		var idle []*client
		for range 5 {
			c := s.dial(t)
			c.get("/")
			half := s.dial(t)
			half.send("GET / HTTP/1.1\r\nHo")
			idle = append(idle, c, half)
		}
		s.await(t, "all connections", func(st recycling.Stats) bool { return st.Open == 10 && (!m.parks || st.Parked == 10) })
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		for _, c := range idle {
			c.ended()
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 && st.Closed == 10 })
		if err := s.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

func TestCloseTellsHowManyHandlersHang(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{}, g.serve)
		for range 3 {
			s.dial(t).send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
			receive(t, g.entered, "the handler")
		}
		err := s.Close()
		var abandon *recycling.AbandonError
		if !errors.As(err, &abandon) || abandon.Workers != 3 {
			t.Errorf("Close returned %v", err)
		}
		s.ended(t, http.ErrServerClosed)
		g.open()
		s.await(t, "the connections' end", func(st recycling.Stats) bool { return st.Open == 0 })
		if err := s.Close(); err != nil {
			t.Errorf("Close, after the handlers have returned: %v", err)
		}
	})
}
