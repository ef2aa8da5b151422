package recycling_test

import (
	"fmt"
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

func TestMaxConnsPerIPCountsTheClientsOfAProxy(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		if m.strategy == recycling.Goroutine {
			t.Skip("it has no limits")
		}
		s := m.start(t, &recycling.Server{ProxyProtocol: loopback(), Limits: recycling.Limits{MaxConnsPerIP: 2}}, addresses)
		dial := func(ip string) *client {
			c := s.dial(t)
			c.send("%s%s", clientHeader(ip), get)
			return c
		}
		var all []*client
		for _, ip := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.3"} {
			c := dial(ip)
			if _, got := c.response(); !strings.HasPrefix(got, ip) {
				t.Errorf("address is %s, want %s", got, ip)
			}
			all = append(all, c)
		}
		for _, ip := range []string{"192.0.2.1", "192.0.2.2"} {
			dial(ip).refused()
		}
		all[0].Close()
		s.await(t, "the end of one", func(st recycling.Stats) bool { return st.Open == 4 })
		if _, got := dial("192.0.2.1").response(); !strings.HasPrefix(got, "192.0.2.1:") {
			t.Errorf("address is %s", got)
		}
		dial("192.0.2.1").refused()
		if st := s.Stats(); st.ShedPerIP != 3 {
			t.Errorf("%+v", st)
		}
	})
}

func TestMaxConnsPerIPCountsTheClientsOfAProxyOverTLS(t *testing.T) {
	parallel(t)
	forEachProxied(t, func(t *testing.T, m proxiedMode) {
		if m.strategy == recycling.Goroutine {
			t.Skip("it has no limits")
		}
		s := m.startTLS(t, &recycling.Server{ProxyProtocol: loopback(), Limits: recycling.Limits{MaxConnsPerIP: 1}}, addresses)
		for i := range 3 {
			c := s.dial(t)
			c.send("%s", clientHeader(fmt.Sprint("192.0.2.", i)))
			c.shake().get("/")
		}
		c := s.dial(t)
		c.send("%s", clientHeader("192.0.2.1"))
		if err := c.unshaken().tls.Handshake(); err == nil {
			t.Error("the second connection of an address is served")
		}
		s.await(t, "its refusal", func(st recycling.Stats) bool { return st.ShedPerIP == 1 && st.Open == 3 })
	})
}

func TestConnectionsWithoutAHeaderMakeRoomFirst(t *testing.T) {
	parallel(t)
	forEachProxiedParking(t, func(t *testing.T, m proxiedMode) {
		s := m.start(t, &recycling.Server{ProxyProtocol: loopback(), Limits: recycling.Limits{MaxConns: 2}}, addresses)
		idle := s.dial(t)
		idle.send("%s", proxyV2)
		idle.get("/")
		s.await(t, "it to park", func(st recycling.Stats) bool { return st.Parked == 1 })
		partial := s.dial(t)
		partial.send("PROXY")
		s.await(t, "the other to park", func(st recycling.Stats) bool { return st.Parked == 2 })
		c := s.dial(t)
		c.send("%s%s", proxyV2, get)
		c.response()
		partial.ended()
		idle.get("/")
		if st := s.Stats(); st.Evicted != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestProxiesGetTheResponseToRefusedConnections(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{ProxyProtocol: loopback(), Limits: recycling.Limits{MaxConns: 1}, RefuseConns: true}, g.serve)
		one := s.dial(t)
		one.send("%sGET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", proxyV2)
		receive(t, g.entered, "the first")
		for _, header := range []string{proxyV1, proxyV2} {
			c := s.dial(t)
			c.send("%s%s", header, get)
			c.refused()
		}
		if st := s.Stats(); st.ShedConns != 2 {
			t.Errorf("%+v", st)
		}
		g.open()
		one.response()
	})
}

func TestHealthChecksOfProxiesAreServedByReserveWorkers(t *testing.T) {
	parallel(t)
	forEachProxiedParking(t, func(t *testing.T, m proxiedMode) {
		for _, header := range []string{v2Header(0x20, 0, ""), "PROXY UNKNOWN\r\n", proxyV1, proxyV2} {
			for _, part := range []int{0, 1, len(header) - 1, len(header), len(header) + 3} {
				g := newGate(t)
				s := m.start(t, &recycling.Server{ProxyProtocol: loopback(), Limits: recycling.Limits{MaxWorkers: 1}, HealthPath: "/healthz"}, g.serve)
				one := s.dial(t)
				one.send("%sGET /wait HTTP/1.1\r\nHost: test\r\n\r\n", proxyV2)
				receive(t, g.entered, "the handler")
				c := s.dial(t)
				all := header + "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"
				if part > 0 {
					c.send("%s", all[:part])
					s.await(t, "it to park", func(st recycling.Stats) bool { return st.Parked == 1 })
				}
				c.send("%s", all[part:])
				if res, body := c.response(); res.StatusCode != 200 || body != "answer" {
					t.Errorf("after %d bytes of %q: %s %q", part, header, res.Status, body)
				}
				g.open()
				one.response()
			}
		}
	})
}

func TestProxiesAreRefusedWhenTheQueueIsFull(t *testing.T) {
	parallel(t)
	forEachProxiedParking(t, func(t *testing.T, m proxiedMode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{ProxyProtocol: loopback(), Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 1}}, g.serve)
		wait := func() *client {
			c := s.dial(t)
			c.send("%sGET /wait HTTP/1.1\r\nHost: test\r\n\r\n", proxyV2)
			return c
		}
		one := wait()
		receive(t, g.entered, "the handler")
		two := wait()
		s.await(t, "the queue to fill", func(st recycling.Stats) bool { return st.Queued == 1 })
		wait().refused()
		c := s.dial(t) // does not need a worker yet
		c.send("%s", proxyV1[:9])
		s.await(t, "it to park", func(st recycling.Stats) bool { return st.Parked == 1 })
		c.send("%s", proxyV1[9:])
		s.await(t, "it to park with its header", func(st recycling.Stats) bool { return st.Parked == 1 && st.Queued == 1 })
		c.send("%s", get)
		c.refused()
		g.open()
		one.response()
		two.response()
	})
}
