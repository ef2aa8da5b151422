package recycling_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// These tests are about connections and requests that are refused, and that this does not affect
// others.

// overloaded returns a server whose only worker is busy in a handler and whose queue has one
// request, until the test ends.
func overloaded(t *testing.T, m mode, srv *recycling.Server) *instance {
	t.Helper()
	g := newGate(t)
	srv.MaxWorkers, srv.Standby, srv.MaxQueue = 1, 1, 1
	s := m.start(t, srv, g.serve)
	overload(t, s, g)
	return s
}

// overload does that to a server with one worker and a queue of one.
func overload(t *testing.T, s *instance, g *gate) {
	t.Helper()
	t.Cleanup(g.open) // before s is closed
	s.dial(t).send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
	receive(t, g.entered, "the handler")
	s.dial(t).send(get)
	s.await(t, "one to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
}

func TestPanicOfShedIsNotTheEnd(t *testing.T) {
	parallel(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		h, log := logging()
		s := overloaded(t, m, &recycling.Server{HTTP: h, Limits: recycling.Limits{QueueWait: -1}, Shed: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no template") })})
		c := s.dial(t)
		c.send(get)
		c.refused()
		if !strings.Contains(log.String(), "no template") {
			t.Errorf("the log is %q", log)
		}
	})
}

func TestShedKnowsTheServer(t *testing.T) {
	parallel(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		s := overloaded(t, m, &recycling.Server{Limits: recycling.Limits{QueueWait: -1}, Shed: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, recycling.FromContext(r.Context()).Stats().Strategy)
		})})
		c := s.dial(t)
		c.send(get)
		if res, body := c.response(); res.StatusCode != http.StatusServiceUnavailable || body != string(m.strategy) {
			t.Errorf("answered with %v and %q", res.Status, body)
		}
	})
}

func needsParking(t *testing.T) {
	t.Helper()
	if !recycling.Parks {
		t.Skip("connections do not park")
	}
}

// dialFrom connects from one of the many loopback addresses of Linux.
func (s *instance) dialFrom(t *testing.T, ip string) *client {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("there is only one loopback address")
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	nc, err := d.Dial("tcp", s.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	return wrapClient(t, nc)
}

// Refused connections linger for a moment, since they have not sent a complete request yet.
func TestRefusedConnectionsTakeNobodysRoom(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingNet, recyclingWrapped, poolOwn}, func(t *testing.T, m mode) {
		for _, refuse := range []bool{true, false} {
			t.Run(fmt.Sprintf("RefuseConns=%v", refuse), func(t *testing.T) {
				s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: 20, MaxConnsPerIP: 2}, RefuseConns: refuse}, hello)
				idle := s.dialFrom(t, "127.0.0.3")
				idle.get("/")
				for range 60 {
					s.dialFrom(t, "127.0.0.2").send("GET / HTTP/1.1\r\n")
				}
				s.await(t, "58 to be refused", func(st recycling.Stats) bool { return st.ShedPerIP == 58 })
				s.dialFrom(t, "127.0.0.4").get("/")
				idle.get("/")
				if st := s.Stats(); st.Evicted != 0 || st.ShedConns != 0 {
					t.Errorf("%+v", st)
				}
				s.await(t, "the refused ones to go", func(st recycling.Stats) bool { return st.Open <= 4 })
			})
		}
	})
}

func TestRefusedConnectionsDoNotKeepTheServerFull(t *testing.T) {
	parallel(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: 5}, RefuseConns: true}, g.serve)
		for range 5 {
			s.dial(t).send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			receive(t, g.entered, "one of five")
		}
		for range 20 {
			s.dial(t).send("GET / HTTP/1.1\r\n")
		}
		s.await(t, "20 to be refused", func(st recycling.Stats) bool { return st.ShedConns == 20 })
		g.open()
		s.await(t, "the five to end", func(st recycling.Stats) bool { return st.Closed >= 5 && st.Busy == 0 })
		c := s.dial(t)
		c.send(get)
		if res, _ := c.response(); res.StatusCode != http.StatusOK {
			t.Errorf("answered with %v: %+v", res.Status, s.Stats())
		}
	})
}

// A headerListener's connections know their address once the client has sent it, as with the PROXY
// protocol.
type headerListener struct{ net.Listener }

type headerConn struct {
	net.Conn
	read sync.Once
}

func (l headerListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &headerConn{Conn: nc}, nil
}

func (c *headerConn) header() {
	c.read.Do(func() { io.ReadFull(c.Conn, make([]byte, 1)) })
}

func (c *headerConn) RemoteAddr() net.Addr { c.header(); return c.Conn.RemoteAddr() }

func (c *headerConn) Read(b []byte) (int, error) { c.header(); return c.Conn.Read(b) }

func TestAddressThatComesLateKeepsNobodyWaiting(t *testing.T) {
	parallel(t)
	for _, strategy := range []recycling.Strategy{recycling.Recycling, recycling.Fixed} {
		t.Run(string(strategy), func(t *testing.T) {
			m := mode{name: "header", strategy: strategy, listen: func() (net.Listener, error) {
				l, err := listenNet()
				return headerListener{l}, err
			}}
			s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxConnsPerIP: 2}}, hello)
			silent := s.dial(t)
			s.await(t, "it to be accepted", func(st recycling.Stats) bool { return st.Accepted == 1 })
			one := s.dial(t)
			one.send("P" + get)
			one.response()
			silent.send("P" + get)
			silent.response()
			three := s.dial(t)
			three.send("P" + get)
			three.refused()
			silent.Close()
			one.Close()
		})
	}
}

func TestMaxQueueHoldsForWrappedListeners(t *testing.T) {
	parallel(t)
	s := overloaded(t, recyclingWrapped, &recycling.Server{Limits: recycling.Limits{QueueWait: -1}})
	c := s.dial(t)
	c.send(get)
	c.refused()
	s.await(t, "it to be counted", func(st recycling.Stats) bool { return st.Queued == 1 && st.ShedQueue == 1 })
}

func TestQueueWaitHoldsForWrappedListeners(t *testing.T) {
	parallel(t)
	s := overloaded(t, recyclingWrapped, &recycling.Server{Limits: recycling.Limits{QueueWait: 50 * time.Millisecond}})
	s.await(t, "the one that waits to be refused", func(st recycling.Stats) bool { return st.Queued == 0 && st.ShedQueue == 1 })
}

// A heldConn writes the first time at once, and the second time when it is told to.
type heldConn struct {
	net.Conn
	writes   atomic.Int32
	held, on chan struct{}
}

func (h *heldConn) Write(b []byte) (int, error) {
	if h.writes.Add(1) == 2 {
		close(h.held)
		<-h.on
	}
	return h.Conn.Write(b)
}

// Handshakes end one by one, and not in the leader's batches.
func TestMaxQueueHoldsAfterHandshakes(t *testing.T) {
	parallel(t)
	needsParking(t)
	g := newGate(t)
	s := recyclingOwn.startTLS(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 1, QueueWait: 50 * time.Millisecond}, Standby: 1}, g.serve)
	const n = 5
	var all []*secureClient
	var held []*heldConn
	for range n {
		c := s.dial(t)
		h := &heldConn{Conn: c.Conn, held: make(chan struct{}), on: make(chan struct{})}
		c.Conn = h
		sc := c.unshaken()
		go sc.tls.Handshake()
		receive(t, h.held, "the client's second flight")
		all, held = append(all, sc), append(held, h)
	}
	busy := s.dial(t).shake()
	busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
	receive(t, g.entered, "the handler")
	for i, h := range held {
		close(h.on)
		all[i].send(get)
	}
	s.await(t, "all to be refused", func(st recycling.Stats) bool { return st.Queued == 0 && st.ShedQueue == n })
	g.open()
}

func TestMaxQueueHoldsAfterHealthChecks(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		s := overloaded(t, m, &recycling.Server{HealthPath: "/health", Limits: recycling.Limits{QueueWait: -1}})
		for range 10 {
			c := s.dial(t)
			c.send("GET /health HTTP/1.1\r\nHost: test\r\n\r\n" + get)
			if res, _ := c.response(); res.StatusCode != http.StatusOK {
				t.Fatalf("the health check is answered with %v", res.Status)
			}
			c.refused()
		}
		s.await(t, "all to be counted", func(st recycling.Stats) bool { return st.Queued == 1 && st.ShedQueue == 10 })
	})
}

func TestHealthChecksWithABodyAreNone(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		s := overloaded(t, m, &recycling.Server{HealthPath: "/health", Limits: recycling.Limits{QueueWait: -1}})
		for _, field := range []string{"Content-Length: 5", "transfer-encoding: chunked"} {
			c := s.dial(t)
			c.send("GET /health HTTP/1.1\r\nHost: test\r\n%s\r\n\r\n", field)
			c.refused()
		}
		c := s.dial(t)
		c.send("GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\nContent-Length: 5\r\n")
		if res, _ := c.response(); res.StatusCode != http.StatusOK {
			t.Errorf("the health check is answered with %v", res.Status)
		}
	})
}

// A joinedConn sends several TLS records in one segment.
type joinedConn struct {
	net.Conn
	join bool
	b    []byte
}

func (j *joinedConn) Write(b []byte) (int, error) {
	if !j.join {
		return j.Conn.Write(b)
	}
	j.b = append(j.b, b...)
	return len(b), nil
}

func TestHealthChecksInOneSegmentAreAllAnswered(t *testing.T) {
	parallel(t)
	needsParking(t)
	g := newGate(t)
	s := recyclingOwn.startTLS(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 1, QueueWait: -1}, Standby: 1, HealthPath: "/health"}, g.serve)
	c := s.dial(t)
	j := &joinedConn{Conn: c.Conn}
	c.Conn = j
	sc := c.shake()
	sc.get("/health")
	busy := s.dial(t).shake()
	busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
	receive(t, g.entered, "the handler")
	s.dial(t).send("\x16\x03\x01\x00\x00")
	s.await(t, "one to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
	j.join = true
	sc.send("GET /health HTTP/1.1\r\nHost: test\r\n\r\n")
	sc.send("GET /health HTTP/1.1\r\nHost: test\r\n\r\n")
	j.join = false
	j.Conn.Write(j.b)
	sc.response()
	sc.SetDeadline(time.Now().Add(patience))
	sc.response() // served or refused: what follows a health check has no reserve worker
	g.open()
}

func TestLargeHeaderThatIsNotWholeIsRefusedWithAnAnswer(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 1, QueueWait: -1}, Standby: 1}, g.serve)
		c := s.dial(t)
		c.send("GET / HTTP/1.1\r\nHost: test\r\nX: %s", strings.Repeat("x", 40<<10))
		s.await(t, "it to park", func(st recycling.Stats) bool { return st.Parked == 1 })
		overload(t, s, g)
		c.send("x\r\n\r\n")
		c.refused()
		s.await(t, "it to be counted", func(st recycling.Stats) bool { return st.ShedQueue == 1 })
	})
}

func TestRefusedClientOfTLSGetsNoPlainText(t *testing.T) {
	parallel(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		s := m.startTLS(t, &recycling.Server{Limits: recycling.Limits{MaxConnsPerIP: 1}}, hello)
		s.dial(t).shake().get("/")
		c := s.dial(t)
		c.SetDeadline(time.Now().Add(patience))
		if b, err := io.ReadAll(c); len(b) > 0 {
			t.Errorf("got %q, %v", b, err)
		}
	})
}

// Package context holds a mutex of the derived context while it asks to be told of the end.
func TestContextsMayBeDerivedWhileTheClientLeaves(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		var ended atomic.Int64
		s := m.start(t, new(recycling.Server), func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, cancel := context.WithTimeout(r.Context(), time.Hour)
				cancel()
			}
			ended.Add(1)
		})
		const n = 50
		for range n {
			c := s.dial(t)
			c.send(get)
			time.Sleep(time.Millisecond)
			c.Close()
		}
		s.await(t, "all handlers to end", func(recycling.Stats) bool { return ended.Load() == n })
	})
}
