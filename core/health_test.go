package recycling_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// busy makes all workers of s busy in a handler, and many requests wait for them, until the test
// ends.
func busy(t *testing.T, s *instance, dial func() *client, g *gate) {
	t.Helper()
	t.Cleanup(g.open)
	for range 4 {
		dial().send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
	}
	for range 100 {
		dial().send(get)
	}
	s.await(t, "others to be queued", func(st recycling.Stats) bool { return st.Queued == 100 })
}

// A health check that finds all workers busy does not wait for its turn, which may not come before
// QueueWait.
func TestHealthChecksDoNotQueue(t *testing.T) {
	parallel(t)
	needsParking(t)
	for _, tls := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS=%v", tls), func(t *testing.T) {
			forEach(t, parkModes, func(t *testing.T, m mode) {
				g := newGate(t)
				start := m.start
				if tls {
					start = m.startTLS
				}
				s := start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 4, QueueWait: -1}, Standby: 1, HealthPath: "/health"}, g.serve)
				dial := func() *client {
					if tls {
						return s.dial(t).shake().client
					}
					return s.dial(t)
				}
				used, unused, cut, head := dial(), dial(), dial(), dial()
				used.get("/health")
				s.await(t, "it to park", func(st recycling.Stats) bool { return st.Parked >= 1 && st.Busy == 0 })
				var all []*client
				for range 104 {
					all = append(all, dial())
				}
				s.await(t, "nothing to do", func(st recycling.Stats) bool { return st.Busy == 0 && st.Queued == 0 && st.Handshakes == 0 })
				busy(t, s, func() *client {
					c := all[0]
					all = all[1:]
					return c
				}, g)

				for range 3 {
					used.get("/health")
					unused.get("/health?x=1")
					if !tls { // a handshake begins on a worker
						dial().get("/health")
					}
				}
				for _, piece := range []string{"GET", " /hea", "lth HTTP/1.1\r\nHost: te", "st\r\n", "\r\n"} {
					cut.send("%s", piece)
				}
				if res, _ := cut.response(); res.StatusCode != http.StatusOK {
					t.Error(res.Status)
				}
				head.send("HEAD /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
				if b, err := io.ReadAll(head.r); err != nil || len(b) < 15 || string(b[:15]) != "HTTP/1.1 200 OK" {
					t.Errorf("HEAD: %q, %v", b, err)
				}
				if st := s.Stats(); st.Queued != 100 || st.Shed != 0 {
					t.Errorf("%+v", st)
				}
				g.open()
			})
		})
	}
}

// Clients that begin a health check and do not complete it do not block the reserve workers.
func TestHealthChecksThatStallHoldNoWorkerInReserve(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 4, QueueWait: -1}, Standby: 1, HealthPath: "/health"}, g.serve)
		check := s.dial(t)
		check.get("/health")
		busy(t, s, func() *client { return s.dial(t) }, g)
		for _, begun := range []string{"G", "GET /health", "GET /health HTTP/1.1\r\nHost: test\r\n", "HEAD /health?x HTTP/1.1\r\n"} {
			for range 10 {
				s.dial(t).send("%s", begun)
			}
		}
		s.await(t, "all to park", func(st recycling.Stats) bool { return st.Parked == 41 })
		check.get("/health")
		s.once(t, "/health")
		g.open()
	})
}

// A request that is not a health check keeps its place, whatever it has sent.
func TestRequestsThatWaitForAWorkerAreServedInOrder(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		order := make(chan string, 100)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, QueueWait: -1}, Standby: 1, HealthPath: "/health"}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/wait" {
				order <- r.URL.Path
			}
			g.serve(w, r)
		})
		t.Cleanup(g.open)
		s.dial(t).send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		paths := []string{"/a", "/health/b", "/c", "/healthy"}
		for i, path := range paths {
			s.dial(t).send("GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path)
			s.await(t, "it to be queued", func(st recycling.Stats) bool { return st.Queued == int64(i+1) })
		}
		g.open()
		for _, want := range paths {
			if path := receive(t, order, "a request"); path != want {
				t.Fatalf("%s came, want %s", path, want)
			}
		}
	})
}

func TestHealthPathIsServedInAnyCase(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 1}, Standby: 1, HealthPath: "/health"}, g.serve)
		idle := s.dial(t)
		idle.get("/health")
		overload(t, s, g)
		for range 3 {
			idle.get("/health")
			s.once(t, "/health")
		}
		for _, path := range []string{"/", "/healthy", "/health/", "/health?", "/wait/health"} {
			c := s.dial(t)
			c.send("GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path)
			c.refused()
		}
		idle.send(get) // reserve workers do not serve this
		idle.refused()
		g.open()
	})
}

// Reserve workers do not serve requests that follow one for HealthPath.
func TestWorkersInReserveAreForHealthPathOnly(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 1}, Standby: 1, HealthPath: "/health"}, g.serve)
		overload(t, s, g)
		for range 5 {
			c := s.dial(t)
			c.send("GET /health HTTP/1.1\r\nHost: test\r\n\r\nGET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
			c.response()
			s.once(t, "/health")
			post := s.dial(t)
			post.send("POST /health HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n")
			post.refused()
		}
		g.open()
	})
}

// Over TLS, reading from a connection that a hook has got may block. So its health checks wait in
// the queue, and have a reserve worker only instead of a 503 response.
func TestHealthChecksOverTLSQueueIfThereAreHooks(t *testing.T) {
	parallel(t)
	needsParking(t)
	for name, x := range map[string]struct {
		set    func(*http.Server)
		queues bool
	}{
		"no hook":   {func(*http.Server) {}, false},
		"ConnState": {func(h *http.Server) { h.ConnState = func(net.Conn, http.ConnState) {} }, true},
		"ConnContext": {func(h *http.Server) {
			h.ConnContext = func(ctx context.Context, _ net.Conn) context.Context { return ctx }
		}, true},
		"GetCertificate": {func(h *http.Server) { h.TLSConfig = fetchingKeys() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, parkModes, func(t *testing.T, m mode) {
				g := newGate(t)
				h := quiet()
				x.set(h)
				s := m.startTLS(t, &recycling.Server{HTTP: h, Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 2, QueueWait: -1}, Standby: 1, HealthPath: "/health"}, g.serve)
				t.Cleanup(g.open) // before s is closed
				var all []*secureClient
				for range 4 {
					c := s.dial(t).shake()
					c.get("/")
					all = append(all, c)
				}
				s.await(t, "them to park", func(st recycling.Stats) bool { return st.Parked == 4 && st.Busy == 0 })
				all[0].send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
				receive(t, g.entered, "the handler")
				all[1].send(get)
				s.await(t, "one to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
				all[2].send("GET /health HTTP/1.1\r\nHost: test\r\n\r\n")
				if x.queues {
					s.await(t, "the health check to be queued", func(st recycling.Stats) bool { return st.Queued == 2 })
					all[3].get("/health") // the queue is full
					g.open()
				}
				if res, _ := all[2].response(); res.StatusCode != http.StatusOK {
					t.Errorf("the health check is answered with %v", res.Status)
				}
				g.open()
			})
		})
	}
}

// fetchingKeys is serverKeys with a certificate that a callback returns.
func fetchingKeys() *tls.Config {
	cert := serverKeys().Certificates[0]
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }}
}
