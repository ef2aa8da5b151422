package recycling_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// quiet is an http.Server that does not log panics.
func quiet() *http.Server { return &http.Server{ErrorLog: log.New(io.Discard, "", 0)} }

func TestHandlersThatEndTheirGoroutineCostNothingElse(t *testing.T) {
	for name, end := range map[string]func(){
		"Goexit": runtime.Goexit,
		"panic":  func() { panic("a handler's own") },
		"abort":  func() { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, everyMode, func(t *testing.T, m mode) {
				s := m.start(t, &recycling.Server{HTTP: quiet(), MaxWorkers: 4, Standby: 2}, func(w http.ResponseWriter, r *http.Request) {
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
				// One more than MaxWorkers leads.
				if st := s.Stats(); st.Workers > 5 || m.strategy != recycling.Goroutine && st.Requests != n+10 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// goroutineIsLocked reports whether the caller is locked to its thread.
func goroutineIsLocked() bool {
	var buf [64]byte
	head, _, _ := strings.Cut(string(buf[:runtime.Stack(buf[:], false)]), ":")
	return strings.Contains(head, "locked to thread")
}

// A worker looks every 64th time whether it is locked. There are at most two here, one of which leads.
func TestLockedWorkersServeFewRequestsMore(t *testing.T) {
	forEach(t, []mode{recyclingOwn, recyclingNet, recyclingWrapped, poolOwn}, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{MaxWorkers: 1, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/lock" {
				runtime.LockOSThread()
			}
			fmt.Fprint(w, goroutineIsLocked())
		})
		for range 20 {
			if s.once(t, "/lock") != "true" {
				t.Fatal("the test does not see that it is locked")
			}
		}
		const few, many = 2 * 64, 300
		locked := 0
		for range many {
			if s.once(t, "/") == "true" {
				locked++
			}
		}
		if locked > few {
			t.Errorf("%d of %d requests after that ran on a locked goroutine, want at most %d", locked, many, few)
		}
	})
}

// labels returns the profiler's labels of the calling handler, as the goroutine profile has them.
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
		s := m.start(t, &recycling.Server{MaxWorkers: 1, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
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

// TestHijackedConnectionHoldsNoWorker has handlers keep their goroutines, as those of WebSockets do.
func TestHijackedConnectionHoldsNoWorker(t *testing.T) {
	g := newGate(t)
	s := recyclingNet.start(t, &recycling.Server{MaxWorkers: 1}, func(w http.ResponseWriter, r *http.Request) {
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
