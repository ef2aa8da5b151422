package recycling_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// A flood is a client that sends requests endlessly and reads the responses as they arrive.
type flood struct {
	io.ReadWriter
	requests string // sent at once
}

func (f *flood) run() {
	go io.Copy(io.Discard, f)
	for {
		if _, err := io.WriteString(f, f.requests); err != nil {
			return
		}
	}
}

// pipelined returns a request with a header and a body of these sizes.
func pipelined(size, body int) string {
	head := fmt.Sprintf("POST /flood HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\nX: ", body)
	return head + strings.Repeat("x", max(size-body-len(head)-4, 0)) + "\r\n\r\n" + strings.Repeat("b", body)
}

// TestPipelinesLeaveOthersTheirTurn has as many clients as there are workers send more requests
// than these can serve. The test releases each of their requests, and counts how many are served
// while another client waits.
func TestPipelinesLeaveOthersTheirTurn(t *testing.T) {
	parallel(t)
	for name, requests := range map[string]string{
		"64":             strings.Repeat(pipelined(64, 0), 64),
		"4095":           strings.Repeat(pipelined(4095, 0), 64),
		"4096":           strings.Repeat(pipelined(4096, 0), 64),
		"4097":           strings.Repeat(pipelined(4097, 0), 64),
		"8192":           strings.Repeat(pipelined(8192, 0), 64),
		"body":           strings.Repeat(pipelined(300, 200), 64),
		"4096 with body": strings.Repeat(pipelined(4096, 3900), 64),
		"large body":     strings.Repeat(pipelined(20000, 19000), 64),
		"one a write":    pipelined(100, 0),
	} {
		t.Run(name, func(t *testing.T) {
			forEachFlooded(t, func(t *testing.T, m mode, secure bool) { testFlood(t, m, secure, requests) })
		})
	}
}

func testFlood(t *testing.T, m mode, secure bool, requests string) {
	// If there were more, some could serve many requests before the other client's request gets a
	// CPU.
	const workers = 1
	let, end := make(chan bool), make(chan bool)
	// Requests of the flood that were served: now, and when the other request began.
	var served, mark atomic.Int64
	s, dial, other := m.startFlooded(t, secure, &recycling.Server{Limits: recycling.Limits{MaxWorkers: workers, QueueWait: -1}, Standby: 1, HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/flood" {
			mark.Store(served.Load())
			return
		}
		io.Copy(io.Discard, r.Body)
		select {
		case <-let:
		case <-end:
		}
		served.Add(1)
	})
	var floods []net.Conn
	for range workers {
		c := dial()
		floods = append(floods, c)
		go (&flood{c, requests}).run()
	}
	defer func() {
		for _, c := range floods {
			c.Close()
		}
		close(end)
		s.await(t, "all to end", func(st recycling.Stats) bool { return st.Open == 0 })
	}()
	s.await(t, "the flood", func(st recycling.Stats) bool { return st.Busy == workers && st.Queued == 0 })
	for range 3 {
		began := served.Load()
		mark.Store(-1)
		go func() {
			c := other.dial(t)
			defer c.Close()
			fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			io.Copy(io.Discard, c)
		}()
		s.await(t, "another to be queued", func(st recycling.Stats) bool { return st.Queued > 0 || mark.Load() >= 0 })
		// Two turns, and the requests in progress: the other connection may be accepted before its
		// request arrives, and then needs a turn for each.
		const enough = 2 * (32 + 1)
		for mark.Load() < 0 {
			if n := served.Load() - began; n > 30*enough {
				t.Fatalf("%d requests of the flood were served, and another one waits", n)
			}
			if s.Stats().Queued == 0 { // it does not wait for its turn
				runtime.Gosched()
				continue
			}
			select {
			case let <- true:
			case <-time.After(time.Millisecond): // all requests have been released
			}
		}
		if n := mark.Load() - began; n > enough {
			t.Errorf("%d requests of the flood were served while another one waited, want %d at most", n, enough)
		}
	}
}

// TestWhoGaveWayIsRefusedWithAnAnswer has a client give way to another one that keeps the only
// worker.
func TestWhoGaveWayIsRefusedWithAnAnswer(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, recyclingNet, recyclingWrapped}, func(t *testing.T, m mode) {
		t.Parallel()
		g, slow := newGate(t), newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, QueueWait: 500 * time.Millisecond}, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait/slow" {
				slow.serve(w, r)
				return
			}
			g.serve(w, r)
		})
		t.Cleanup(g.open) // before s is closed
		t.Cleanup(slow.open)
		c := s.dial(t)
		c.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n%s", strings.Repeat(get, 100))
		receive(t, g.entered, "the handler")
		s.dial(t).send("GET /wait/slow HTTP/1.1\r\nHost: test\r\n\r\n")
		s.await(t, "another to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
		g.open()
		for n := 0; ; n++ {
			res, _ := c.response()
			if res.StatusCode == http.StatusServiceUnavailable {
				break
			}
			if n > 100 {
				t.Fatal("all were answered")
			}
		}
		slow.open()
	})
}

func forEachFlooded(t *testing.T, f func(t *testing.T, m mode, secure bool)) {
	for _, m := range []mode{recyclingOwn, recyclingNet, recyclingWrapped} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/tls=%v", m.name, secure), func(t *testing.T) {
				t.Parallel()
				f(t, m, secure)
			})
		}
	}
}

// startFlooded is start or startTLS with one more listener, without TLS, for other clients. dial
// connects to the first listener.
func (m mode) startFlooded(t *testing.T, secure bool, s *recycling.Server, h http.HandlerFunc) (i *instance, dial func() net.Conn, other *instance) {
	if secure {
		i = m.startTLS(t, s, h)
	} else {
		i = m.start(t, s, h)
	}
	l, err := m.listen()
	if err != nil {
		t.Fatal(err)
	}
	return i, func() net.Conn {
		c := i.dial(t)
		if !secure {
			return c.Conn
		}
		tc := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		return tc
	}, serve(s, l)
}
