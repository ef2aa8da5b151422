package recycling_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"crypto/tls"
	"io"
	"net"

	recycling "github.com/recycling-go/recycling/core"
)

func TestIdleConnectionsHoldNoWorkerAndTheCountersAddUp(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		hijacked := make(chan struct{}, 3)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 60}}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/hijack" {
				hello(w, r)
				return
			}
			if c, _, err := http.NewResponseController(w).Hijack(); err != nil {
				t.Error(err)
			} else {
				c.Close()
				hijacked <- struct{}{}
			}
		})
		if st := s.Stats(); st.Accepted != 0 || st.Requests != 0 || st.Busy != 0 {
			t.Errorf("before the first connection: %+v", st)
		}
		for range 100 {
			s.once(t, "/")
		}
		for range 3 {
			s.dial(t).send("GET /hijack HTTP/1.1\r\nHost: test\r\n\r\n")
			receive(t, hijacked, "the handler")
		}
		var idle []*client
		for range 50 {
			c := s.dial(t)
			c.get("/")
			idle = append(idle, c)
		}
		s.await(t, "the connections to be idle or closed", func(st recycling.Stats) bool {
			switch {
			case st.Accepted != 153 || st.Closed != 100 || st.Hijacked != 3 || st.Open != 50 || st.Shed != 0:
				return false
			case m.parks:
				return st.Requests == 153 && st.Parked == 50 && st.Busy == 0 && st.Queued == 0 && st.Standby == st.Workers
			case m.strategy != recycling.Goroutine:
				return st.Requests == 153 && st.Parked == 0 && st.Busy == 50
			}
			return true
		})
		for _, c := range idle {
			c.get("/")
			c.Close()
		}
		s.await(t, "the end of all", func(st recycling.Stats) bool {
			return st.Open == 0 && st.Closed == 150 && st.Busy == 0 && st.Parked == 0 && (m.strategy == recycling.Goroutine || st.Requests == 203)
		})
	})
}

func TestMaxWorkersIsTheMostHandlersAtWork(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		var now, most atomic.Int64
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 2, MaxQueue: 20}, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			g.serve(w, r)
		})
		var all []*client
		for range 10 {
			c := s.dial(t)
			c.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			all = append(all, c)
		}
		receive(t, g.entered, "the first handler")
		receive(t, g.entered, "the second handler")
		s.await(t, "the others to be queued", func(st recycling.Stats) bool {
			return st.Accepted == 10 && st.Queued == 8 && st.Busy == 2
		})
		more := s.dial(t) // accepting needs no free worker
		more.send("GET /more HTTP/1.1\r\nHost: test\r\n\r\n")
		s.await(t, "one more", func(st recycling.Stats) bool { return st.Accepted == 11 && st.Queued == 9 })
		if len(g.entered) > 0 {
			t.Error("a third handler is at work")
		}

		ctx, cancel := context.WithCancel(context.Background())
		done := s.shutdown(ctx)
		s.ended(t, http.ErrServerClosed)
		cancel()
		if err := receive(t, done, "Shutdown"); err != context.Canceled {
			t.Errorf("Shutdown returned %v", err)
		}

		g.open()
		for _, c := range append(all, more) {
			if res, body := c.response(); body != "answer" || !res.Close {
				t.Errorf("answer %q", body)
			}
		}
		if n := most.Load(); n > 2 {
			t.Errorf("%d handlers were at work together", n)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

func TestABurstLeavesNoMoreThanMaxWorkers(t *testing.T) {
	parallel(t)
	if testing.Short() {
		t.Skip("takes seconds of waiting")
	}
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 8, MaxQueue: 50}, Standby: 2}, g.serve)
		var all []*client
		for range 40 {
			c := s.dial(t)
			c.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			all = append(all, c)
		}
		s.await(t, "everybody to be at work", func(st recycling.Stats) bool { return st.Busy == 8 && st.Queued == 32 })
		if st := s.Stats(); st.Workers > 9 { // one of them may lead
			t.Errorf("%+v", st)
		}
		g.open()
		for _, c := range all {
			c.response()
		}
		s.await(t, "the end", func(st recycling.Stats) bool { return st.Open == 0 && st.Busy == 0 })
		if st := s.Stats(); st.Workers > 9 {
			t.Errorf("%+v", st)
		}
		if m.name == recyclingOwn.name && !testing.Short() {
			// One worker leads.
			s.await(t, "the surplus to end", func(st recycling.Stats) bool { return st.Standby <= 3 })
			s.once(t, "/")
		}
	})
}

func TestPoolShedsWhatItsQueueCannotHold(t *testing.T) {
	parallel(t)
	g := newGate(t)
	s := poolOwn.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 1}}, g.serve)
	one, two, three := s.dial(t), s.dial(t), s.dial(t)
	one.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
	receive(t, g.entered, "the handler")
	two.send(get)
	s.await(t, "the second to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
	three.send(get)
	res, _ := three.response()
	if res.StatusCode != http.StatusServiceUnavailable || !res.Close || res.Header.Get("Retry-After") == "" {
		t.Errorf("the third is answered with %v", res)
	}
	three.ended()
	s.await(t, "the third to be counted", func(st recycling.Stats) bool {
		return st.Shed == 1 && st.Accepted == 3 && st.Open == 2 && st.Closed == 1 && st.Requests == 1
	})
	g.open()
	for _, c := range []*client{one, two} {
		if res, _ := c.response(); res.StatusCode != http.StatusOK {
			t.Errorf("answered with %v", res.Status)
		}
	}
}

func TestShedWritesTheAnswer(t *testing.T) {
	parallel(t)
	g := newGate(t)
	var calls atomic.Int32
	shed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		io.WriteString(w, `{"path":"`+r.URL.Path+`"}`)
	})
	s := poolOwn.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 1}, Shed: shed}, g.serve)
	s.dial(t).send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
	receive(t, g.entered, "the handler")
	s.dial(t).send(get)
	s.await(t, "the second to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
	for range 3 {
		c := s.dial(t)
		c.send(get)
		res, body := c.response()
		h := res.Header
		if res.StatusCode != http.StatusTooManyRequests || body != `{"path":"/"}` || h.Get("Retry-After") != "7" || h.Get("Content-Type") != "application/json" || h.Get("Date") == "" || !res.Close {
			t.Errorf("answered with %v %q", res, body)
		}
		c.ended()
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("Shed was called %d times, want 1", n)
	}
	g.open()
}

// A TLS client cannot receive a response without a handshake, for which there is no worker.
func TestShedDoesNotWaitForTLS(t *testing.T) {
	parallel(t)
	g := newGate(t)
	listen := func() (net.Listener, error) {
		l, err := listenNet()
		return tls.NewListener(l, &tls.Config{}), err
	}
	s := mode{"fixed", recycling.Fixed, listen, false}.start(t, &recycling.Server{HTTP: quiet(), Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 1}}, g.serve)
	var all []*client
	for range 5 {
		all = append(all, s.dial(t))
	}
	s.await(t, "three to be shed", func(st recycling.Stats) bool { return st.Shed == 3 && st.Open == 2 })
	for _, c := range all {
		c.Close()
	}
}

// crowd returns how many connections a test may open at both ends.
func crowd(t *testing.T) int {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if lim.Cur < lim.Max {
		lim.Cur = lim.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case !testing.Short() && lim.Cur >= 2*10_000+1_000:
		return 10_000
	case lim.Cur >= 2*2_000+1_000:
		return 2_000
	}
	t.Skipf("only %d descriptors", lim.Cur)
	return 0
}

// slowHeaders opens n connections that do not complete their first request.
func slowHeaders(t *testing.T, s *instance, n int) []*client {
	all := make([]*client, n)
	var group sync.WaitGroup
	for first := range 8 {
		group.Go(func() {
			for i := first; i < n && !t.Failed(); i += 8 {
				all[i] = s.dial(t)
				all[i].SetDeadline(time.Now().Add(10 * patience)) // for all of them together
				all[i].send("GET / HTTP/1.1\r\nHost: test\r\nX-Slow:")
			}
		})
	}
	group.Wait()
	return all
}

func TestSlowHeadersHoldNoWorker(t *testing.T) {
	needParking(t)
	n := crowd(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1}, hello)
		all := slowHeaders(t, s, n)
		s.await(t, "all connections to be parked", func(st recycling.Stats) bool { return st.Parked == int64(n) && st.Busy == 0 })
		s.once(t, "/")
		for _, c := range all[:100] {
			c.send(" no more\r\n\r\n")
			if _, body := c.response(); body != "hello" {
				t.Errorf("answer %q", body)
			}
		}
	})
}

func TestReadHeaderTimeoutEndsParkedConnections(t *testing.T) {
	needParking(t)
	n := min(crowd(t), 2_000)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1, HTTP: &http.Server{ReadHeaderTimeout: 300 * time.Millisecond}}, g.serve)
		all := slowHeaders(t, s, n)
		for _, c := range all {
			c.ended()
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 && st.Closed == int64(n) })
		s.once(t, "/")
	})
}

// A waiting connection is closed without a worker.
func TestTimeoutsEndParkedConnectionsWhileAllWorkersAreBusy(t *testing.T) {
	parallel(t)
	needParking(t)
	for name, srv := range map[string]*http.Server{
		"idle":   {IdleTimeout: 50 * time.Millisecond},
		"header": {ReadHeaderTimeout: 300 * time.Millisecond, IdleTimeout: -1},
		"read":   {ReadTimeout: 300 * time.Millisecond}, // also for the other request
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, parkModes, func(t *testing.T, m mode) {
				g := newGate(t)
				copied := &http.Server{IdleTimeout: srv.IdleTimeout, ReadHeaderTimeout: srv.ReadHeaderTimeout, ReadTimeout: srv.ReadTimeout}
				s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1, HTTP: copied}, g.serve)
				c := s.dial(t)
				if name == "header" {
					c.send("GET / HT")
					s.await(t, "the connection to be parked", func(st recycling.Stats) bool { return st.Parked == 1 || st.Closed == 1 })
				} else {
					c.get("/")
				}
				busy := s.dial(t)
				busy.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
				receive(t, g.entered, "the handler")
				c.ended()
				s.await(t, "its end", func(st recycling.Stats) bool { return st.Open == 1 && st.Busy == 1 })
				g.open()
				if _, body := busy.response(); !strings.Contains(body, "answer") {
					t.Errorf("answer %q", body)
				}
			})
		})
	}
}

// needParking skips the test if connections cannot be parked.
func needParking(t *testing.T) {
	if !recycling.Parks {
		t.Skip("connections do not park on this system, or with the build tag recycling_nopark")
	}
}
