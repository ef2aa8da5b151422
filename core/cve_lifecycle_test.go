package recycling_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// These tests are about state that outlives a request: connections, workers, deadlines, memory.

// shortTime is a timeout that tests wait for.
const shortTime = 50 * time.Millisecond

// beginnings are what a client may send before it falls silent.
var beginnings = []string{"", "\r\n", "P", "GET / HTTP/1.1\r\n", "PRI * HTT", "PRI * HTTP/2.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"}

// silent opens a connection for each of beginnings. The server must close all of them.
func silent(t *testing.T, m mode, srv *http.Server) *instance {
	s := m.start(t, &recycling.Server{HTTP: srv}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "PRI" { // without HTTP/2, PRI is a request
			t.Errorf("the handler was called for %v", r)
		}
	})
	var all []*client
	for _, b := range beginnings {
		if b == "" && m.listenIsOwn() {
			continue // not accepted before its first byte
		}
		c := s.dial(t)
		c.send("%s", b)
		all = append(all, c)
	}
	for _, c := range all {
		if _, err := io.Copy(io.Discard, c.r); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a silent connection was not closed")
		}
	}
	s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
	return s
}

func (m mode) listenIsOwn() bool {
	return m.name == recyclingOwn.name || m.name == poolOwn.name || m.name == goroutineOwn.name
}

// If HTTP/2 without TLS was enabled, there was no limit on the wait for the first bytes of a
// connection. After the fix the limit was never removed, and valid connections timed out:
// https://go.dev/issue/80876.
func TestCVE_2026_56853_SilentConnection(t *testing.T) {
	parallel(t)
	goroutineNet := mode{"goroutine-net", recycling.Goroutine, listenNet, false}
	both := new(http.Protocols)
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	for name, srv := range map[string]func() *http.Server{
		"header":        func() *http.Server { return &http.Server{ReadHeaderTimeout: shortTime} },
		"header, HTTP2": func() *http.Server { return &http.Server{ReadHeaderTimeout: shortTime, Protocols: both} },
		"read, HTTP2":   func() *http.Server { return &http.Server{ReadTimeout: shortTime, Protocols: both} },
	} {
		t.Run(name, func(t *testing.T) {
			modes := []mode{recyclingOwn, recyclingNet, recyclingWrapped, poolOwn}
			if fixedIn("go1.26.8") {
				modes = append(modes, goroutineNet)
			}
			forEach(t, modes, func(t *testing.T, m mode) { silent(t, m, srv()) })
		})
	}
}

// See CVE_2026_56853: a connection that was passed to HTTP/2 or hijacked must have no deadline.
func TestGolang80876_DeadlineIsClearedAtHandOff(t *testing.T) {
	parallel(t)
	const limit = 6 * shortTime // long enough for the exchange in it
	both := new(http.Protocols)
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	forEach(t, cveOurModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: &http.Server{ReadHeaderTimeout: limit, WriteTimeout: limit, Protocols: both}}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/hijack" {
				return
			}
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			go func() {
				defer c.Close()
				line, err := rw.ReadString('\n')
				fmt.Fprintf(c, "%s %v", line, err)
			}()
		})
		h2 := s.dialHTTP2(t, nil)
		h2.request(1, "/")
		h2.answered(1)
		hijacked := s.dial(t)
		hijacked.send("GET /hijack HTTP/1.1\r\nHost: test\r\n\r\n")
		time.Sleep(2 * limit)
		h2.request(3, "/")
		h2.answered(3)
		hijacked.send("line\n")
		if b, err := io.ReadAll(hijacked.r); string(b) != "line\n <nil>" {
			t.Errorf("the hijacked connection: %q, %v", b, err)
		}
	})
}

// When the server was set to use less memory, ReadTimeout began with the first byte, and a silent
// connection never timed out.
func TestFasthttp2183_ReadTimeoutBeforeTheFirstByte(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, recyclingNet, recyclingWrapped, poolOwn}, func(t *testing.T, m mode) {
		silent(t, m, &http.Server{ReadTimeout: shortTime}).Close()
		s := m.start(t, &recycling.Server{HTTP: &http.Server{ReadTimeout: shortTime}}, hello)
		c := s.dial(t)
		c.get("/")
		c.ended() // it waits for its second request
	})
}

// The object by which Shutdown recognized an idle connection was reused, and another connection was
// closed in the middle of a request.
func TestFasthttp2342_ShutdownClosesNoOtherConnection(t *testing.T) {
	parallel(t)
	forEach(t, cveModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 40, MaxQueue: 40}}, g.serve)
		const n = 12
		var idle, busy []*client
		for range n { // all of them have been idle, and some have ended
			for _, all := range []*[]*client{&idle, &busy} {
				ends := s.dial(t)
				c := s.dial(t)
				c.get("/")
				ends.get("/")
				*all = append(*all, c)
				ends.Close()
			}
		}
		for i, c := range busy {
			path := "/wait"
			// The rest comes later.
			c.send("POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n%s", path, "abc"[:i%4])
			receive(t, g.entered, "the handler")
		}
		done := s.shutdown(context.Background())
		for _, c := range idle {
			c.ended()
		}
		g.open()
		for i, c := range busy {
			c.send("%s", "abc"[i%4:])
			if res, body := c.response(); body != "answer" || !res.Close {
				t.Errorf("answer %d is %q, closing: %v", i, body, res.Close)
			}
			c.Close()
		}
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// A request arrived between the check whether a connection is idle and its close: its handler ran
// in vain.
func TestFasthttp2280_RequestWhileIdleConnectionsAreClosed(t *testing.T) {
	parallel(t)
	forEach(t, cveOurModes, func(t *testing.T, m mode) {
		for range scaled(10) {
			var ran, answered atomic.Int64
			s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 64, MaxQueue: 64}}, func(w http.ResponseWriter, r *http.Request) {
				ran.Add(1)
				io.WriteString(w, "answer")
			})
			const n = 20
			var all []*client
			for range n {
				c := s.dial(t)
				c.get("/")
				all = append(all, c)
			}
			var group sync.WaitGroup
			for _, c := range all {
				group.Go(func() {
					for { // until Shutdown finds it between two requests
						if _, err := io.WriteString(c, get); err != nil {
							return
						}
						res, err := http.ReadResponse(c.r, nil)
						if err != nil {
							return
						}
						if body, err := io.ReadAll(res.Body); err == nil && string(body) == "answer" {
							answered.Add(1)
						}
					}
				})
			}
			if err := receive(t, s.shutdown(context.Background()), "Shutdown"); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			group.Wait()
			if r, a := ran.Load(), answered.Load()+n; r != a {
				t.Fatalf("%d requests reached the handler, %d were answered", r, a)
			}
			s.Close()
		}
	})
}
