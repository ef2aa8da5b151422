package recycling_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/version"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// These tests are about state that outlives a request: connections, workers, deadlines, memory.

// reverse returns a proxy to this address.
func reverse(t testing.TB, to net.Addr) *httputil.ReverseProxy {
	tr := &http.Transport{DisableCompression: true, ExpectContinueTimeout: patience}
	t.Cleanup(tr.CloseIdleConnections)
	p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to.String()})
	p.Transport, p.ErrorLog = tr, quiet().ErrorLog
	return p
}

// final reads the next response that is not informational, and returns it with its body.
func (c *client) final() (*http.Response, string) {
	c.t.Helper()
	for {
		if res, body := c.response(); res.StatusCode >= 200 {
			return res, body
		}
	}
}

// A goroutine that read the body, which sends "100 Continue", raced with the handler's response.
func TestCVE_2020_15586_BodyReadBesideTheAnswer(t *testing.T) {
	parallel(t)
	body := strings.Repeat("x", 64<<10)
	forEach(t, cveModes, func(t *testing.T, m mode) {
		early := m.start(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "early") })
		p := reverse(t, early.addr)
		s := m.start(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/proxy" {
				p.ServeHTTP(w, r)
				return
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				io.Copy(io.Discard, r.Body)
			}()
			for range 3 {
				io.WriteString(w, "early")
				http.NewResponseController(w).Flush()
			}
			if r.URL.Path == "/wait" {
				<-done
			}
		})
		closeTogether(t, early, s)
		for i := range scaled(60) {
			c := s.dial(t)
			c.send("POST %s HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", []string{"/", "/wait", "/proxy"}[i%3], len(body))
			go io.WriteString(c, body)
			res, err := http.ReadResponse(c.r, nil)
			for err == nil && res.StatusCode == http.StatusContinue {
				res, err = http.ReadResponse(c.r, nil)
			}
			if err != nil || res.StatusCode != http.StatusOK && res.StatusCode != http.StatusBadGateway {
				t.Fatalf("%v, %v", res, err)
			}
			io.Copy(io.Discard, res.Body)
			c.Close()
		}
		s.await(t, "the connections' end", func(st recycling.Stats) bool { return st.Open == 0 })
	})
}

// After an early response to a request with "Expect: 100-continue", the next request was taken for
// its body, or its body for the next request.
func TestCVE_2024_24791_EarlyAnswerToExpect(t *testing.T) {
	parallel(t)
	forEach(t, cveModes, func(t *testing.T, m mode) {
		handler := func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/reject":
				w.WriteHeader(http.StatusForbidden)
			case "/echo":
				io.Copy(w, r.Body)
			case "/next":
				io.WriteString(w, "next")
			default:
				t.Errorf("a handler was called with %s", r.RequestURI)
			}
		}
		behind := m.start(t, &recycling.Server{HTTP: quiet()}, handler)
		front := m.start(t, &recycling.Server{HTTP: quiet()}, reverse(t, behind.addr).ServeHTTP)
		closeTogether(t, behind, front)
		asked := []*instance{behind, front}
		if version.Compare(runtime.Version(), "go1.26") < 0 {
			asked = asked[:1] // Go 1.25's proxy waits for the body, also under net/http's server
		}
		for _, s := range asked {
			for _, body := range []string{"", smuggled} { // not sent, or sent without waiting
				for range 10 {
					c := s.dial(t)
					c.send("POST /reject HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), body)
					res, _ := c.final()
					if res.StatusCode != http.StatusForbidden {
						t.Fatalf("answer %s", res.Status)
					}
					if !res.Close { // then the body was read or will be
						c.send("%sGET /next HTTP/1.1\r\nHost: test\r\n\r\n", smuggled[len(body):])
						if res, text := c.final(); res.StatusCode != http.StatusOK || text != "next" {
							t.Errorf("the next answer is %s %q", res.Status, text)
						}
					}
					c.Close()

					c = s.dial(t)
					c.send("POST /echo HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
					if res, _ := c.response(); res.StatusCode != http.StatusContinue {
						t.Fatalf("answer %s", res.Status)
					}
					c.send("GET /GET /next HTTP/1.1\r\nHost: test\r\n\r\n")
					if _, text := c.final(); text != "GET /" {
						t.Errorf("echo of %q", text)
					}
					if _, text := c.final(); text != "next" {
						t.Errorf("the next answer is %q", text)
					}
					c.Close()
				}
			}
		}
	})
}

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
		s := m.start(t, &recycling.Server{MaxWorkers: 40, MaxQueue: 40}, g.serve)
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
			c.send("POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n%s", path, "abc"[:i%4]) // the rest comes later
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
			s := m.start(t, &recycling.Server{MaxWorkers: 64, MaxQueue: 64}, func(w http.ResponseWriter, r *http.Request) {
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

// The counter of active connections was incremented twice and decremented once, until it allowed no
// more.
func TestFasthttp2275_NoCapacityIsLost(t *testing.T) {
	parallel(t)
	forEach(t, cveOurModes, func(t *testing.T, m mode) {
		g := newGate(t)
		room := 3
		if m.strategy == recycling.Recycling {
			room = 1000 // some connections may arrive when all seem to have ended
		}
		s := m.start(t, &recycling.Server{HTTP: quiet(), MaxWorkers: 2, Standby: 1, MaxQueue: room}, func(w http.ResponseWriter, r *http.Request) {
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
		s := m.start(t, &recycling.Server{HTTP: quiet(), MaxWorkers: 1, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
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
		s := m.start(t, &recycling.Server{MaxWorkers: 2 * n, Standby: 2 * n, MaxQueue: n}, hello)
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

// When the client disconnected, a body was read from a buffer that was already used by another
// connection.
func TestNbio502_BodyReadWhileTheConnectionEnds(t *testing.T) {
	parallel(t)
	forEach(t, cveModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			letter := r.URL.Path[1:]
			buf := make([]byte, 100)
			n := 0
			for {
				k, err := r.Body.Read(buf)
				n += k
				if rest := strings.Trim(string(buf[:k]), letter); rest != "" {
					t.Errorf("in a body of %s there is %q", letter, rest)
				}
				if err != nil {
					break
				}
			}
			fmt.Fprint(w, n)
		})
		const size = 20_000
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				letter := string(rune('a' + i))
				for range scaled(30) {
					c, err := net.Dial(s.addr.Network(), s.addr.String())
					if err != nil {
						t.Error(err)
						return
					}
					c.SetDeadline(time.Now().Add(patience))
					head := fmt.Sprintf("POST /%s HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", letter, size)
					if i%2 == 0 {
						io.WriteString(c, head+strings.Repeat(letter, size/2))
						c.(*net.TCPConn).SetLinger(0)
					} else {
						io.WriteString(c, head+strings.Repeat(letter, size))
						if b, err := io.ReadAll(c); !strings.HasSuffix(string(b), fmt.Sprint("\r\n\r\n", size)) {
							t.Errorf("answer %q, %v", b, err)
						}
					}
					c.Close()
				}
			})
		}
		group.Wait()
		s.await(t, "the connections' end", func(st recycling.Stats) bool { return st.Open == 0 })
	})
}
