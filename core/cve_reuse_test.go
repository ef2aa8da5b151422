package recycling_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// The counter of active connections was incremented twice and decremented once, until it allowed no
// more.
func TestFasthttp2275_NoCapacityIsLost(t *testing.T) {
	parallel(t)
	forEach(t, cveOurModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{HTTP: quiet(), Limits: recycling.Limits{MaxWorkers: 2, MaxQueue: 3}, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/panic":
				panic("a handler's own")
			case "/hijack":
				if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
					c.Close()
				}
			case "/read":
				io.Copy(io.Discard, r.Body)
			default:
				g.serve(w, r)
			}
		})
		const rounds = 20
		for range rounds {
			var all []*client
			for _, raw := range []string{"GET /panic HTTP/1.1\r\nHost: test\r\n\r\n", "GET /hijack HTTP/1.1\r\nHost: test\r\n\r\n", "GET\r\n\r\n", "POST /read HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nx",
				"GET / HTTP/1.1\r\n", get, get, get, get} {
				c := s.dial(t)
				c.send("%s", raw)
				all = append(all, c) // more than Pool has room for
			}
			for i, c := range all {
				if i%2 == 0 {
					c.Conn.(*net.TCPConn).SetLinger(0)
				}
				c.Close()
			}
		}
		// Connections of the rounds may still wait in the kernel. They are accepted before another.
		for served := false; !served; {
			c := s.dial(t)
			c.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			res, _ := c.response()
			served = res.StatusCode == http.StatusOK
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 && st.Busy == 0 && st.Queued == 0 })
		var waiting []*client
		for range 2 {
			c := s.dial(t)
			c.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			receive(t, g.entered, "a second handler beside the first")
			waiting = append(waiting, c)
		}
		g.open()
		for _, c := range waiting {
			c.response()
		}
		s.await(t, "the end", func(st recycling.Stats) bool {
			return st.Open == 0 && st.Busy == 0 && st.Accepted == st.Closed+st.Hijacked
		})
	})
}

// A handler's panic left its ResponseWriter behind, with the data it had written, and a goroutine.
func TestFasthttp2278_PanicLeavesNothingBehind(t *testing.T) {
	parallel(t)
	forEach(t, cveModes, func(t *testing.T, m mode) {
		inner := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Left", "behind")
			io.WriteString(w, "LEFT BEHIND")
			if r.URL.Query().Has("flush") {
				http.NewResponseController(w).Flush()
			}
			if r.URL.Query().Has("much") {
				io.WriteString(w, strings.Repeat("LEFT BEHIND", 1000))
			}
			panic("a handler's own")
		}
		timeout := http.TimeoutHandler(http.HandlerFunc(inner), patience, "late")
		behind := m.start(t, &recycling.Server{HTTP: quiet()}, inner)
		p := reverse(t, behind.addr)
		s := m.start(t, &recycling.Server{HTTP: quiet(), Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/panic":
				inner(w, r)
			case "/timeout":
				timeout.ServeHTTP(w, r)
			case "/proxy":
				p.ServeHTTP(w, r)
			}
			io.WriteString(w, "fresh")
		})
		closeTogether(t, behind, s)
		for range 5 {
			for _, path := range []string{"/panic", "/panic?flush", "/panic?much", "/timeout", "/proxy?flush", "/proxy?much"} {
				c := s.dial(t)
				c.send("GET %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", path)
				if b, _ := io.ReadAll(c.r); bytes.HasSuffix(b, []byte("\r\n0\r\n\r\n")) {
					t.Errorf("%s is answered in full: %q", path, b)
				}
				c.Close()
				c = s.dial(t)
				c.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
				if res, body := c.response(); body != "fresh" || res.Header.Get("X-Left") != "" {
					t.Errorf("after %s, the answer is %q, %v", path, body, res.Header)
				}
				c.Close()
			}
		}
	})
}

// The memory of connections with large, unfinished headers was kept after they were closed.
func TestFasthttp2037_MemoryIsGivenBack(t *testing.T) {
	forEach(t, cveModes, func(t *testing.T, m mode) {
		const n, size = 50, 256 << 10
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 2 * n, MaxQueue: n}, Standby: 2 * n}, hello)
		header := get[:len(get)-2] + "X: " + strings.Repeat("x", size)
		s.once(t, "/")
		before := inUse()
		var all []*client
		for range n {
			c := s.dial(t)
			c.send("%s", header)
			all = append(all, c)
		}
		s.await(t, "all connections", func(st recycling.Stats) bool { return st.Open == n && (!m.parks || st.Parked == n) })
		for _, c := range all {
			c.Close()
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 })
		s.once(t, "/")
		if kept := inUse() - before; kept > n*size/8 {
			t.Errorf("%d bytes were kept of %d", kept, n*size)
		}
	})
}

// A goroutine of the handler read from a request that had been reused for another one.
func TestHertz1341_RequestMayBeKept(t *testing.T) {
	parallel(t)
	forEach(t, cveModes, func(t *testing.T, m mode) {
		const n = 200
		kept := make(chan *http.Request, n)
		var group sync.WaitGroup
		look := func(r *http.Request) string {
			return fmt.Sprint(r.Method, r.URL, r.Host, r.Header, r.Form, r.RemoteAddr != "", r.ContentLength, r.Trailer)
		}
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			r.ParseForm()
			group.Go(func() { look(r) }) // while the next request is read
			kept <- r
		})
		c := s.dial(t)
		want := make([]string, n)
		for i := range want {
			form := fmt.Sprintf("form=%d", i)
			c.send("POST /%d?q=%d HTTP/1.1\r\nHost: host%d\r\nX-N: %d\r\nContent-Type: application/x-www-form-urlencoded\r\nTrailer: T\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nT: %d\r\n\r\n", i, i, i, i, len(form), form, i)
			want[i] = fmt.Sprintf("POST/%d?q=%dhost%dmap[Content-Type:[application/x-www-form-urlencoded] X-N:[%d]]map[form:[%d] q:[%d]]true -1 map[T:[%d]]", i, i, i, i, i, i, i)
			c.response()
		}
		group.Wait()
		for i := range want {
			if got := strings.ReplaceAll(look(<-kept), " ", ""); got != strings.ReplaceAll(want[i], " ", "") {
				t.Fatalf("request %d is %s, want %s", i, got, want[i])
			}
		}
	})
}
