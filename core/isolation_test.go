package recycling_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// quiet returns an http.Server that does not log panics.
func quiet() *http.Server { return &http.Server{ErrorLog: log.New(io.Discard, "", 0)} }

func TestHandlersThatEndTheirGoroutineCostNothingElse(t *testing.T) {
	parallel(t)
	for name, end := range map[string]func(){
		"Goexit": runtime.Goexit,
		"panic":  func() { panic("a handler's own") },
		"abort":  func() { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, everyMode, func(t *testing.T, m mode) {
				s := m.start(t, &recycling.Server{HTTP: quiet(), Limits: recycling.Limits{MaxWorkers: 4}, Standby: 2}, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/end" {
						end()
					}
					hello(w, r)
				})
				const n = 200
				for range n {
					c := s.dial(t)
					c.send("GET /end HTTP/1.1\r\nHost: test\r\n\r\n")
					c.ended()
					c.Close()
				}
				for range 10 {
					s.once(t, "/")
				}
				s.await(t, "all to be over", func(st recycling.Stats) bool {
					return st.Open == 0 && st.Closed == n+10 && st.Busy == 0 && st.Queued == 0
				})
				// One more worker than MaxWorkers leads.
				if st := s.Stats(); st.Workers > 5 || m.strategy != recycling.Goroutine && st.Requests != n+10 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// goroutineIsLocked reports whether the calling goroutine is locked to its thread.
func goroutineIsLocked() bool {
	var buf [64]byte
	head, _, _ := strings.Cut(string(buf[:runtime.Stack(buf[:], false)]), ":")
	return strings.Contains(head, "locked to thread")
}

// lockable responds whether the goroutine was already locked. For /lock it leaves the goroutine
// locked.
func lockable(w http.ResponseWriter, r *http.Request) {
	was := goroutineIsLocked()
	if r.URL.Path == "/lock" {
		runtime.LockOSThread()
	}
	fmt.Fprint(w, was)
}

// onLocked sends n requests, each on a new connection, and returns how many ran on a goroutine that
// was already locked.
func (s *instance) onLocked(t *testing.T, n int) (locked int) {
	for range n {
		if s.once(t, "/") == "true" {
			locked++
		}
	}
	return locked
}

// A worker checks every 64th time whether it is locked, and every time once one was found to be.
// There are at most two workers here, one of which leads.
func TestLockedWorkersServeFewRequestsMore(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, recyclingNet, recyclingWrapped, poolOwn}, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1}, lockable)
		s.onLocked(t, 200) // so that the workers are not new
		n := 0
		for range 20 {
			if s.once(t, "/lock") == "true" {
				n++
			}
			n += s.onLocked(t, 20)
		}
		if few := 2 * 64; n > few {
			t.Errorf("%d requests after the first of those that lock ran on a locked goroutine, want at most %d", n, few)
		}
	})
}

func TestStrictThreadsLetNoRequestRunOnALockedOne(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 2}, Standby: 1, StrictThreads: true}, lockable)
		s.onLocked(t, 200)
		for range 20 {
			if s.once(t, "/lock") == "true" || s.onLocked(t, 5) > 0 {
				t.Fatal("a request ran on a locked goroutine")
			}
		}
	})
}

// TestBusyWorkersLeaveTheirThread has a worker continue with queued connections, by which its
// goroutine is kept.
func TestBusyWorkersLeaveTheirThread(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 20}, Standby: 1, StrictThreads: true}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				g.entered <- struct{}{}
				<-g.opened
			}
			lockable(w, r)
		})
		t.Cleanup(g.open) // before s is closed
		first := s.dial(t)
		first.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
		receive(t, g.entered, "the handler")
		var all []*client
		for range 20 {
			c := s.dial(t)
			c.send("GET /lock HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			all = append(all, c)
		}
		s.await(t, "all to be queued", func(st recycling.Stats) bool { return st.Queued == 20 })
		g.open()
		for _, c := range all {
			if _, body := c.response(); body != "false" {
				t.Error("a request ran on a locked goroutine")
			}
		}
	})
}

func TestHandshakesLeaveTheirThread(t *testing.T) {
	parallel(t)
	needsParking(t)
	var locked atomic.Int64
	h := quiet()
	h.TLSConfig = serverKeys()
	h.TLSConfig.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if goroutineIsLocked() {
			locked.Add(1)
		}
		runtime.LockOSThread()
		return nil, nil
	}
	s := recyclingOwn.startTLS(t, &recycling.Server{HTTP: h}, hello)
	for range 20 {
		s.dial(t).shake().get("/")
	}
	if n := locked.Load(); n > 0 {
		t.Errorf("%d handshakes ran on a locked goroutine", n)
	}
}

func TestPanicOnFaultDoesNotOutliveTheTurnOfItsConnection(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, debug.SetPanicOnFault(true))
		})
		for range 10 {
			if s.once(t, "/") != "false" {
				t.Fatal("a request ran with what an earlier one has set")
			}
		}
	})
}

// labels returns the profiler labels of the calling handler, as the goroutine profile shows them.
func labels() (found string) {
	var b strings.Builder
	pprof.Lookup("goroutine").WriteTo(&b, 1)
	for _, g := range strings.Split(b.String(), "\n\n") {
		if strings.Contains(g, "core_test.labels+") {
			for _, line := range strings.Split(g, "\n") {
				if l, ok := strings.CutPrefix(line, "# labels: "); ok {
					found += l
				}
			}
		}
	}
	return found
}

func TestProfilerLabelsDoNotOutliveTheTurnOfTheirConnection(t *testing.T) {
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/label" {
				pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("left", "behind")))
			}
			io.WriteString(w, labels())
		})
		for range 3 {
			if !strings.Contains(s.once(t, "/label"), "behind") {
				t.Fatal("the test does not see its label")
			}
		}
		for i := range 10 {
			if l := s.once(t, "/"); l != "" {
				t.Fatalf("request %d has the labels %s", i, l)
			}
		}
	})
}

// TestHijackedConnectionHoldsNoWorker has handlers keep their goroutines, as WebSocket handlers do.
func TestHijackedConnectionHoldsNoWorker(t *testing.T) {
	parallel(t)
	g := newGate(t)
	s := recyclingNet.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/upgrade" {
			hello(w, r)
			return
		}
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		<-g.opened
	})
	var all []*client
	for range 10 {
		c := s.dial(t)
		c.send("GET /upgrade HTTP/1.1\r\nHost: a\r\n\r\n")
		if res, _ := c.response(); res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("answered with %v", res.Status)
		}
		all = append(all, c)
	}
	if got := s.once(t, "/"); got != "hello" {
		t.Errorf("answered with %q", got)
	}
	if st := s.Stats(); st.Hijacked != 10 || st.Workers > 3 {
		t.Errorf("%+v, want 10 hijacked connections, and no more workers than one and who leads", st)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	g.open()
	for _, c := range all {
		c.ended()
	}
}
