package recycling_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// TestWaitingAndHijacking has handlers hijack their connection before they wait, inside the
// function that waits, and on another goroutine meanwhile. From then on they do not count.
func TestWaitingAndHijacking(t *testing.T) {
	parallel(t)
	forEach(t, recyclingModes, func(t *testing.T, m mode) {
		st := newStepper(t)
		limits := recycling.Limits{MaxWorkers: 1, MaxWaiting: 1, MaxQueue: 1}
		s := m.start(t, &recycling.Server{Limits: limits, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
			take := func() { hijack(t, w).Close() }
			wait := func() { st.step("wait") }
			switch r.URL.Path {
			case "/before":
				take()
				offload.Waiting(r.Context(), wait)
				st.step("work")
			case "/inside":
				offload.Waiting(r.Context(), func() { take(); wait() })
				st.step("work")
			case "/meanwhile":
				var other sync.WaitGroup
				other.Go(take)
				offload.Waiting(r.Context(), func() { runtime.Gosched(); other.Wait(); wait() })
				other.Wait()
				st.step("work")
			default:
				st.serve(w, r)
			}
		})
		n := int64(0)
		for range 3 {
			for _, path := range []string{"/before", "/inside", "/meanwhile"} {
				s.begins(t, st, path)
				n++
				s.counts(t, 0, 0)
				s.await(t, "the handler to count as hijacked", func(st recycling.Stats) bool { return st.HijackedBusy == n })
			}
		}
		for range n {
			st.let["wait"] <- struct{}{}
			receive(t, st.entered, "a handler to go on")
		}
		s.counts(t, 0, 0)
		waits, works := s.begins(t, st, "/wait"), s.begins(t, st, "/work")
		s.counts(t, 1, 1)
		queued := s.asks(t, "/work")
		s.await(t, "one to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
		st.open()
		answered(t, waits, works, queued)
		s.await(t, "the hijackers to return", func(st recycling.Stats) bool {
			return st.HijackedBusy == 0 && st.Busy == 0 && st.Waiting == 0
		})
	})
}

// TestWaitThatOutlivesItsHandlerEnds has a goroutine wait, and the handler return meanwhile.
func TestWaitThatOutlivesItsHandlerEnds(t *testing.T) {
	parallel(t)
	forEach(t, recyclingModes, func(t *testing.T, m mode) {
		st := newStepper(t)
		var others sync.WaitGroup
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/leave" {
				begun := make(chan bool)
				others.Go(func() {
					offload.Waiting(r.Context(), func() { begun <- true; st.step("wait") })
					offload.Waiting(r.Context(), func() {}) // much too late
				})
				<-begun
			}
			st.serve(w, r)
		})
		c := s.dial(t)
		for range 5 {
			if body := c.get("/leave"); body != "answer" {
				t.Fatalf("answered with %q", body)
			}
			receive(t, st.entered, "the other goroutine")
		}
		if m.parks { // otherwise the connection keeps its worker
			s.counts(t, 0, 0)
		}
		// The same worker serves the next request of the connection, and counts.
		c.send("GET /leave HTTP/1.1\r\nHost: test\r\n\r\nGET /work HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
		answered(t, c)
		for range 2 {
			receive(t, st.entered, "both")
		}
		s.counts(t, 1, 0)
		for range 6 {
			st.let["wait"] <- struct{}{}
		}
		others.Wait()
		s.counts(t, 1, 0)
		queued := s.asks(t, "/work")
		s.await(t, "one to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
		st.open()
		answered(t, c, queued)
	})
}

// TestWaitingBehindATimeoutHandler has the handler run on another goroutine than the server's, with
// a context derived from the request's.
func TestWaitingBehindATimeoutHandler(t *testing.T) {
	parallel(t)
	forEach(t, recyclingModes, func(t *testing.T, m mode) {
		st := newStepper(t)
		mux := http.NewServeMux()
		mux.Handle("/wait", http.TimeoutHandler(http.HandlerFunc(st.serve), 50*time.Millisecond, "too late"))
		mux.HandleFunc("/", st.serve)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1}, mux.ServeHTTP)
		for range 5 {
			c := s.begins(t, st, "/wait")
			if res, _ := c.response(); res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("answered with %s", res.Status)
			}
		}
		s.counts(t, 0, 0)
		works := s.begins(t, st, "/work")
		s.counts(t, 1, 0)
		st.open()
		answered(t, works)
	})
}

func TestWaitingOverHTTP2OnlyCalls(t *testing.T) {
	parallel(t)
	st := newStepper(t)
	cert, err := selfsigned.New("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	l, err := recyclingOwn.listen()
	if err != nil {
		t.Fatal(err)
	}
	srv := &recycling.Server{Strategy: recycling.Recycling, HTTP: &http.Server{
		Handler: http.HandlerFunc(st.serve), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}},
	}}
	done := make(chan error, 1)
	go func() { done <- srv.ServeTLS(l, "", "") }()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
	}}
	answer := make(chan error, 1)
	go func() {
		res, err := client.Get("https://" + l.Addr().String() + "/wait/work")
		if err == nil {
			res.Body.Close()
			if res.ProtoMajor != 2 || res.StatusCode != http.StatusOK {
				err = fmt.Errorf("%s %s", res.Proto, res.Status)
			}
		}
		answer <- err
	}()
	receive(t, st.entered, "the handler")
	if s := srv.Stats(); s.Waiting != 0 || s.Busy != 0 {
		t.Errorf("%+v", s)
	}
	st.open()
	if err := receive(t, answer, "the response"); err != nil {
		t.Error(err)
	}
	client.CloseIdleConnections()
	srv.Close()
	receive(t, done, "Serve")
}

// TestHealthChecksMayWait has the handler of HealthPath wait, on a reserve worker.
func TestHealthChecksMayWait(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		st := newStepper(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxWaiting: 1}, Standby: 1, HealthPath: "/wait"}, st.serve)
		busy := s.begins(t, st, "/work")
		check := s.begins(t, st, "/wait")
		s.counts(t, 2, 0)
		st.let["wait"] <- struct{}{}
		answered(t, check)
		st.open()
		answered(t, busy)
	})
}

// TestWaitingInRandomOrder has many clients whose requests compute and wait. At no time may more
// handlers be inside than MaxWorkers + MaxWaiting, and everything must be answered.
func TestWaitingInRandomOrder(t *testing.T) {
	parallel(t)
	forEach(t, recyclingModes, func(t *testing.T, m mode) {
		const workers, waiting, clients, requests = 2, 5, 24, 30
		var inside, most atomic.Int64
		limits := recycling.Limits{MaxWorkers: workers, MaxWaiting: waiting, QueueWait: -1}
		s := m.start(t, &recycling.Server{HTTP: quiet(), Limits: limits, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
			n := inside.Add(1)
			defer inside.Add(-1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			for range rand.IntN(3) {
				offload.Waiting(r.Context(), func() { time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond) })
				runtime.Gosched()
			}
			if rand.IntN(16) == 0 {
				offload.Waiting(r.Context(), func() { panic(http.ErrAbortHandler) })
			}
			io.WriteString(w, "answer")
		})
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				c := &http.Client{Transport: &http.Transport{MaxIdleConns: 1, DisableKeepAlives: !m.parks}}
				defer c.CloseIdleConnections()
				for range requests {
					res, err := c.Get("http://" + s.addr.String())
					if err != nil {
						continue // aborted
					}
					if body, err := io.ReadAll(res.Body); err == nil && string(body) != "answer" {
						t.Errorf("answered with %s, %q", res.Status, body)
					}
					res.Body.Close()
				}
			})
		}
		all.Wait()
		s.counts(t, 0, 0)
		if n := most.Load(); n > workers+waiting {
			t.Errorf("%d handlers ran, want at most %d", n, workers+waiting)
		}
		s.await(t, "the end", func(st recycling.Stats) bool { return st.Open == 0 && st.Queued == 0 && st.ShedQueue == 0 })
	})
}

// TestHandlerDoesNotWaitToGoOn has all workers wait for a mutex, which a handler that waits holds.
func TestHandlerDoesNotWaitToGoOn(t *testing.T) {
	parallel(t)
	var mutex chan bool // a sync.Mutex would not let time pass in the bubble
	s := &recycling.Server{Strategy: recycling.Recycling, Limits: recycling.Limits{MaxWorkers: 2}, Standby: 1}
	hold := func(w http.ResponseWriter, r *http.Request) {
		mutex <- true
		offload.Waiting(r.Context(), func() { time.Sleep(time.Second) })
		<-mutex
	}
	inBubble(t, s, hold, func(t *testing.T, dial func(wrap func(net.Conn) net.Conn) net.Conn) {
		mutex = make(chan bool, 1)
		var all sync.WaitGroup
		begin := time.Now()
		for range 4 {
			c := dial(nil)
			all.Go(func() {
				go io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
				if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != http.StatusOK {
					t.Errorf("answered with %v, %v", res, err)
				}
				c.Close()
			})
		}
		all.Wait()
		if d := time.Since(begin); d != 4*time.Second {
			t.Errorf("four requests that hold a mutex for a second took %v", d)
		}
	})
}
