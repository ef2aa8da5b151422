//go:build !recycling_nopark

package recycling_test

import (
	"context"
	"net/http"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// active sends requests on c, one after the other, so that a worker stays with it.
func (c *client) active() {
	for range 100 {
		c.get("/")
	}
}

func TestQuietConnectionIsParkedSoon(t *testing.T) {
	parallel(t)
	s := recyclingOwn.start(t, &recycling.Server{}, hello)
	for range 5 {
		c := s.dial(t)
		c.active()
		s.await(t, "it to be parked", func(st recycling.Stats) bool { return st.Parked == 1 && st.Busy == 0 })
		c.active()
		c.Close()
		s.await(t, "its end", func(st recycling.Stats) bool { return st.Open == 0 && st.Busy == 0 })
	}
	if st := s.Stats(); st.Stayed == 0 {
		t.Errorf("no worker has stayed: %+v", st)
	}
}

func TestEndWhileAWorkerStays(t *testing.T) {
	parallel(t)
	for range 20 {
		for name, end := range map[string]func(s *instance) error{
			"Shutdown": func(s *instance) error { return s.Shutdown(context.Background()) },
			"Close":    func(s *instance) error { return s.Close() },
		} {
			s := recyclingOwn.start(t, &recycling.Server{}, hello)
			c := s.dial(t)
			c.active()
			if err := end(s); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			c.ended()
		}
	}
}

// Requests must not be refused or wait while a worker only waits for its connection.
func TestWorkerThatStaysIsFree(t *testing.T) {
	parallel(t)
	for range 20 {
		g := newGate(t)
		s := recyclingOwn.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 4, MaxQueue: 1}, Standby: 1}, g.serve)
		active := []*client{s.dial(t), s.dial(t)}
		for _, c := range active {
			c.active()
		}
		var waiting []*client
		for range 4 {
			c := s.dial(t)
			c.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
			waiting = append(waiting, c)
		}
		for range waiting {
			receive(t, g.entered, "one of four handlers")
		}
		g.open()
		for _, c := range waiting {
			if res, _ := c.response(); res.StatusCode != http.StatusOK {
				t.Errorf("answered with %v", res.Status)
			}
		}
		s.Close()
	}
}

func TestConnectionOfAWorkerThatStaysMakesRoom(t *testing.T) {
	parallel(t)
	const conns = 70 // more than the room that there must be for a worker to stay
	s := recyclingOwn.start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: conns}, RefuseConns: true}, hello)
	for range 5 {
		c := s.dial(t)
		c.active()
		var others []*client
		for range conns { // one more than there is room for
			other := s.dial(t)
			others = append(others, other)
			if got := other.get("/"); got != "hello" {
				t.Fatalf("answer %q", got)
			}
		}
		for _, c := range append(others, c) {
			c.Close()
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
	}
	if st := s.Stats(); st.Stayed == 0 || st.Evicted == 0 || st.Shed > 0 {
		t.Errorf("want stays, evicted connections and none refused: %+v", st)
	}
}

// While one connection is quiet and others are not, stays pause. The quiet one is parked.
func TestQuietConnectionIsParkedBesideOthers(t *testing.T) {
	parallel(t)
	s := recyclingOwn.start(t, &recycling.Server{}, hello)
	for range 20 {
		c := s.dial(t)
		c.active()
		for range 3 {
			other := s.dial(t)
			other.active()
			other.Close()
		}
		s.await(t, "it to be parked", func(st recycling.Stats) bool { return st.Open == 1 && st.Parked == 1 })
		c.Close()
		s.await(t, "its end", func(st recycling.Stats) bool { return st.Open == 0 })
	}
}
