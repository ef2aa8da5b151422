package recycling_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// Refusing a connection that does not park may wait for the client. So many wait at most.
func TestConnectionsThatWaitToBeRefusedAreBounded(t *testing.T) {
	const offered = 6000
	l := newPipeListener()
	s := &recycling.Server{
		HTTP: &http.Server{Handler: http.HandlerFunc(hello), ErrorLog: quiet().ErrorLog}, Strategy: recycling.Recycling,
		Limits: recycling.Limits{MaxConns: 1}, RefuseConns: true,
	}
	ended := serve(s, l)
	var clients []net.Conn
	for range offered {
		client, server := net.Pipe()
		clients = append(clients, client)
		select {
		case l.conns <- server:
			continue
		case <-time.After(patience):
			t.Fatalf("waited in vain for Accept: %+v", s.Stats())
		}
	}
	if st := s.Stats(); st.Held == 0 {
		t.Errorf("accepting did not pause while connections waited to be refused: %+v", st)
	}
	for _, c := range clients {
		c.Close()
	}
	end(t, s)
	ended.ended(t, http.ErrServerClosed)
	leavesNothing(t)
}

// A health check is served although its address has too many connections. After that, the
// connection counts as any other.
func TestConnectionThatAReserveWorkerServesCounts(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		const conns = 10
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: conns, MaxConnsPerIP: 2}, HealthPath: "/health"}, hello)
		served := 0
		for range 3 * conns {
			c := s.dialFrom(t, "127.0.0.2")
			c.send("GET /health HTTP/1.1\r\nHost: test\r\n\r\n")
			if res, _ := c.response(); res.StatusCode == http.StatusOK {
				served++
			}
		}
		if served < conns {
			t.Skipf("only %d health checks found their request with them", served)
		}
		s.dialFrom(t, "127.0.0.3").get("/")
		s.await(t, "MaxConns to hold", func(st recycling.Stats) bool { return st.Open-st.Shed <= conns+1 && st.Open <= conns+2 })
	})
}

// A nameless is a connection that does not say where it comes from.
type nameless struct{ net.Conn }

func (nameless) RemoteAddr() net.Addr { panic("no address") }

func TestMaxConnsHoldsAfterRemoteAddrHasPanicked(t *testing.T) {
	parallel(t)
	const conns = 3
	l := newPipeListener()
	g := newGate(t)
	s := &recycling.Server{
		HTTP: &http.Server{Handler: http.HandlerFunc(g.serve), ErrorLog: quiet().ErrorLog}, Strategy: recycling.Recycling,
		Limits: recycling.Limits{MaxConns: conns, MaxConnsPerIP: 1000}, RefuseConns: true,
	}
	ended := serve(s, l)
	for range 20 {
		client, server := net.Pipe()
		l.conns <- nameless{server}
		defer client.Close()
	}
	(&instance{Server: s}).await(t, "their end", func(st recycling.Stats) bool { return st.Accepted == 20 && st.Open == 0 })
	for n := range 5 * conns {
		client, server := net.Pipe()
		defer client.Close()
		l.conns <- server
		c := wrapClient(t, client)
		go io.WriteString(c, "GET /wait HTTP/1.1\r\nHost: test\r\n\r\n") // fails if it is refused
		if n < conns {
			receive(t, g.entered, "the handler")
		}
	}
	(&instance{Server: s}).await(t, "the others to be refused", func(st recycling.Stats) bool { return st.ShedConns == 4*conns })
	if n := len(g.entered); n > 0 {
		t.Errorf("%d more handlers are running", n)
	}
	g.open()
	end(t, s)
	ended.ended(t, http.ErrServerClosed)
}
