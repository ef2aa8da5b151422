package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// countConns starts a server that counts connections and requests.
func countConns(t *testing.T, h http.Handler) (addr string, conns, requests *atomic.Int64) {
	conns, requests = new(atomic.Int64), new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		h.ServeHTTP(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), conns, requests
}

func TestLoadUsesConnectionsAsTheScenarioSays(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			addr, conns, requests := countConns(t, routes())
			l, err := newLoad(addr, s, 3)
			if err != nil {
				t.Fatal(err)
			}
			r := l.run(t.Context(), 20*time.Millisecond)
			l.hangUp()
			if r.errors > 0 || len(r.latencies) == 0 || int64(len(r.latencies)) != requests.Load() {
				t.Errorf("%d answers and %d errors (%v), the server had %d requests", len(r.latencies), r.errors, r.first, requests.Load())
			}
			want := int64(3)
			if s.close {
				want = requests.Load()
			}
			if conns.Load() != want {
				t.Errorf("%d connections, want %d", conns.Load(), want)
			}
		})
	}
}

func TestLoadCountsErrorsAndGivesUp(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"404":               http.NotFound,
		"abort":             func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no Content-Length": func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush() },
		"too long":          func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 5<<10)) },
	} {
		t.Run(name, func(t *testing.T) {
			addr, _, _ := countConns(t, h)
			l, err := newLoad(addr, scenario{path: "/"}, 2)
			if err != nil {
				t.Fatal(err)
			}
			defer l.hangUp()
			r := l.run(t.Context(), time.Minute)
			if r.errors != 2*giveUp || r.first == nil || len(r.latencies) > 0 {
				t.Errorf("%d errors (%v) and %d answers, want %d errors only", r.errors, r.first, len(r.latencies), 2*giveUp)
			}
		})
	}
}
