package recycling_test

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// takers take up room without completing a request, on a connection that was just opened.
var takers = map[string]func(c *client){
	"silent":                func(c *client) {},
	"one byte":              func(c *client) { c.send("G") },
	"slow header":           func(c *client) { c.send("GET / HTTP/1.1\r\nHost: test\r\n"); c.send("A: b\r\n") },
	"lingering":             func(c *client) { c.send("GET / HTTP/9.9\r\n\r\n"); c.r.Peek(1) },
	"TLS silent":            func(c *client) {},
	"TLS part of the hello": func(c *client) { c.send("\x16\x03\x01\x02") },
	"TLS unfinished":        func(c *client) { c.unfinished() },
	"TLS finished":          func(c *client) { c.shake() },
	"TLS one byte":          func(c *client) { c.shake().send("G") },
}

// unfinished sends the first message of a TLS handshake, and waits for the response.
func (c *client) unfinished() {
	c.t.Helper()
	tls.Client(filter{c.Conn, func(nc net.Conn, p []byte) error {
		nc.Write(p)
		return errors.New("enough")
	}}, keyrings().client.Clone()).Handshake()
	if _, err := c.r.ReadByte(); err != nil {
		c.t.Fatal(err)
	}
}

// Connections that have not sent a complete header make room before those that have.
func TestConnectionsWithoutARequestMakeRoomFirst(t *testing.T) {
	parallel(t)
	needsParking(t)
	const good, limit = 5, 15
	for name, take := range takers {
		t.Run(name, func(t *testing.T) {
			start, dial := recyclingNet.start, func(s *instance) *client { return s.dial(t) }
			if name[:3] == "TLS" {
				start, dial = recyclingNet.startTLS, func(s *instance) *client { return s.dial(t).shake().client }
			}
			h := quiet()
			h.ReadHeaderTimeout = time.Hour
			s := start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: limit}, HTTP: h}, hello)
			var all []*client
			for i := range good {
				all = append(all, dial(s))
				all[i].get("/")
			}
			s.await(t, "them to park", func(st recycling.Stats) bool { return st.Parked == good })
			for range 4 {
				for range limit {
					take(s.dial(t))
				}
				dial(s).get("/") // a new connection is served
			}
			for _, c := range all {
				c.get("/")
			}
			st := s.Stats()
			gone := st.Evicted
			if name == "lingering" { // some may have ended by themselves
				gone = st.Closed
			}
			if gone < 3*limit || st.Evicted == 0 || st.Shed > 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// They also make room if RefuseConns is set.
func TestConnectionsWithoutARequestAreClosedBeforeOthersAreRefused(t *testing.T) {
	parallel(t)
	needsParking(t)
	s := recyclingNet.start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: 4}, RefuseConns: true}, hello)
	for range 20 {
		s.dial(t).send("G")
	}
	s.await(t, "four to stay", func(st recycling.Stats) bool { return st.Accepted == 20 && st.Open == 4 && st.Parked == 4 })
	s.dial(t).get("/")
	if st := s.Stats(); st.Shed != 0 {
		t.Errorf("%+v", st)
	}
}

// Connections that have begun a later request are the last to make room, but they do.
func TestConnectionsThatStallInALaterRequestMakeRoom(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: 4}}, hello)
		var stalled []*client
		for i := range 4 {
			c := s.dial(t)
			c.get("/")
			c.send("GET / HTTP/1.1\r\n")
			stalled = append(stalled, c)
			s.await(t, "it to park", func(st recycling.Stats) bool { return st.Parked == int64(i+1) })
		}
		idle := s.dial(t)
		idle.get("/")
		stalled[0].ended()
		s.await(t, "it to park", func(st recycling.Stats) bool { return st.Parked == 4 })
		s.dial(t).get("/")
		idle.ended()
		for _, c := range stalled[1:] {
			c.send("Host: test\r\n\r\n")
			c.response()
		}
	})
}

// They also make room if there is no timeout for headers.
func TestConnectionsWithoutARequestMakeRoomWithoutATimeout(t *testing.T) {
	parallel(t)
	needsParking(t)
	s := recyclingNet.start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: 4}, HTTP: &http.Server{ReadHeaderTimeout: -1, IdleTimeout: -1}}, hello)
	good := s.dial(t)
	good.get("/")
	for range 10 {
		s.dial(t).send("G")
	}
	s.dial(t).get("/")
	good.get("/")
}
