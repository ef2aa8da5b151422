package load

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A counter is a server that counts.
type counter struct {
	addr            string
	conns, requests atomic.Int64
}

func count(t *testing.T, h http.HandlerFunc) *counter { return countOver(t, false, h) }

// countOver starts a counter, which serves TLS with HTTP/2 if secure is true.
func countOver(t *testing.T, secure bool, h http.HandlerFunc) *counter {
	c := new(counter)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		h(w, r)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			c.conns.Add(1)
		}
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if s.EnableHTTP2 = secure; secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	c.addr = s.Listener.Addr().String()
	return c
}

func hey(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "Hey!") }

// open returns a Load that the test closes.
func open(t *testing.T, addr string, r Request, n int) *Load {
	l, err := New(addr, r, n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func TestRunUsesConnectionsAsTheRequestSays(t *testing.T) {
	for name, r := range map[string]Request{
		"keep": {Path: "/"}, "close": {Path: "/", Close: true}, "TLS": {Path: "/", TLS: true},
		"TLS close": {Path: "/", TLS: true, Close: true}, "HTTP/2": {Path: "/", TLS: true, Streams: 1}, "streams": {Path: "/", TLS: true, Streams: 20},
	} {
		t.Run(name, func(t *testing.T) {
			c := countOver(t, r.TLS, hey)
			l := open(t, c.addr, r, 3)
			warm := l.Run(t.Context(), 5*time.Millisecond)
			got := l.Run(t.Context(), 20*time.Millisecond)
			sum := warm.Requests + got.Requests
			if got.Errors > 0 || got.Requests < 3 || sum != c.requests.Load() {
				t.Errorf("%d answers and %d errors (%v), the server had %d requests", sum, got.Errors, got.First, c.requests.Load())
			}
			want := int64(3)
			if r.Close {
				want = c.requests.Load()
			}
			if c.conns.Load() != want {
				t.Errorf("%d connections, want %d", c.conns.Load(), want)
			}
			p50, p99 := got.Percentile(50), got.Percentile(99)
			if p50 <= 0 || p50 > p99 || p99 > got.Max() || got.Max() > 2*got.Elapsed || got.Rate() <= 0 {
				t.Errorf("p50 %v, p99 %v, max %v in %v", p50, p99, got.Max(), got.Elapsed)
			}
		})
	}
}

func TestLatencyIsThatOfTheHandler(t *testing.T) {
	c := count(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		hey(w, r)
	})
	got := open(t, c.addr, Request{Path: "/"}, 2).Run(t.Context(), time.Millisecond)
	if got.Requests != 2 || got.Percentile(50) < 19*time.Millisecond {
		t.Errorf("%d requests, p50 %v, want 2 and more than 20ms", got.Requests, got.Percentile(50))
	}
}

func TestErrorsAreCounted(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"404":   http.NotFound,
		"abort": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"no length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Transfer-Encoding", "identity")
			w.(http.Flusher).Flush()
		},
		"too long": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Long", strings.Repeat("x", 5<<10)) },
	} {
		for how, r := range map[string]Request{"plain": {Path: "/"}, "TLS": {Path: "/", TLS: true}, "HTTP/2": {Path: "/", TLS: true, Streams: 3}} {
			if r.Streams > 0 && (name == "no length" || name == "too long") {
				continue // HTTP/2 has frames, and its client does not limit the header so much
			}
			t.Run(how+" "+name, func(t *testing.T) {
				c := countOver(t, r.TLS, h)
				got := open(t, c.addr, r, 2).Run(t.Context(), time.Millisecond)
				if got.Requests != 0 || got.Errors != c.requests.Load() || got.First == nil {
					t.Errorf("%d answers, %d errors (%v) of %d requests", got.Requests, got.Errors, got.First, c.requests.Load())
				}
			})
		}
	}
}

func TestServerThatIsNotThereIsAnError(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	for _, r := range everyKind {
		l := open(t, listener.Addr().String(), r, 2)
		if got := l.Run(t.Context(), time.Millisecond); got.Requests != 0 || got.Errors < 2 || got.First == nil {
			t.Errorf("%+v: %d answers, %d errors (%v)", r, got.Requests, got.Errors, got.First)
		}
		if err := l.Once(t.Context()); err == nil {
			t.Errorf("%+v: Once has no error", r)
		}
	}
}

// TestRunEndsWithItsContext uses a server that never responds.
func TestRunEndsWithItsContext(t *testing.T) {
	for _, r := range everyKind {
		ctx, cancel := context.WithCancel(t.Context())
		reached := make(chan struct{}, 100)
		c := countOver(t, r.TLS, func(w http.ResponseWriter, r *http.Request) {
			reached <- struct{}{}
			<-r.Context().Done()
		})
		go func() {
			for range 3 {
				<-reached
			}
			cancel()
		}()
		l := open(t, c.addr, r, 3)
		if got := l.Run(ctx, time.Hour); got.Requests != 0 || got.Errors != 0 {
			t.Errorf("%+v: %d answers, %d errors (%v), want neither", r, got.Requests, got.Errors, got.First)
		}
		if err := l.Once(t.Context()); err == nil {
			t.Errorf("%+v: a Load whose context ended makes requests", r)
		}
	}
}

// everyKind has a request for each engine.
var everyKind = []Request{{Path: "/"}, {Path: "/", TLS: true}, {Path: "/", TLS: true, Streams: 2}}

func TestRequestWithoutAnswerIsAnError(t *testing.T) {
	defer func(d time.Duration) { patience = d }(patience)
	patience = 500 * time.Millisecond // a handshake takes part of it
	for _, r := range everyKind {
		c := countOver(t, r.TLS, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		got := open(t, c.addr, r, 3).Run(t.Context(), time.Millisecond)
		if want := int64(3 * max(r.Streams, 1)); got.Requests != 0 || got.Errors != want || got.First != errPatience {
			t.Errorf("%+v: %d answers, %d errors (%v), want %d errors", r, got.Requests, got.Errors, got.First, want)
		}
	}
}

func TestOnceLeavesConnectionsIdle(t *testing.T) {
	for _, r := range everyKind {
		c := countOver(t, r.TLS, hey)
		l := open(t, c.addr, r, 20)
		for i := range int64(2) {
			if err := l.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			if c.conns.Load() != 20 || c.requests.Load() != (i+1)*20 {
				t.Errorf("%+v: %d connections and %d requests", r, c.conns.Load(), c.requests.Load())
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Once(ctx); err != context.Canceled {
			t.Errorf("%+v: Once with a context that has ended: %v", r, err)
		}
	}
}

func TestTogetherRunsLoadsAtTheSameTime(t *testing.T) {
	both := make(chan struct{}) // a request of one load ends when the other load has sent one
	c := count(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "a") {
			both <- struct{}{}
		} else {
			<-both
		}
		hey(w, r)
	})
	a, b := open(t, c.addr, Request{Path: "/a"}, 1), open(t, c.addr, Request{Path: "/b"}, 1)
	for i, got := range Together(t.Context(), 0, a, b) {
		if got.Requests != 1 || got.Errors != 0 {
			t.Errorf("load %d: %d answers, %d errors (%v)", i, got.Requests, got.Errors, got.First)
		}
	}
}

// TestClientAllocatesNothing checks that the allocations of a benchmark are the server's.
func TestClientAllocatesNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		answerWith(listener, []byte("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nHey!"))
	}()
	defer func() {
		listener.Close()
		<-served
	}()
	l := open(t, listener.Addr().String(), Request{Path: "/"}, 1)
	defer l.Close() // ends answerWith
	var requests int64
	allocs := func(d time.Duration) float64 {
		return testing.AllocsPerRun(1, func() {
			r := l.Run(t.Context(), d)
			if r.Errors > 0 {
				t.Fatal(r.First)
			}
			requests = r.Requests
		})
	}
	one := allocs(0) // the allocations of an empty Run
	if more := allocs(100*time.Millisecond) - one; more*10 > float64(requests) {
		t.Errorf("%v allocations for %d requests, want none", more, requests)
	}
}

// answerWith writes answer after every read on the first connection to l.
func answerWith(l net.Listener, answer []byte) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	buf := make([]byte, 1<<10)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		c.Write(answer)
	}
}

func TestResultsAddUp(t *testing.T) {
	var results []*Result
	// Include both ends of the recorded range.
	for _, d := range []time.Duration{0, 5 * time.Millisecond, time.Hour} {
		r := newResult()
		r.answer(d, 7)
		results = append(results, r)
	}
	results[1].error(io.EOF)
	got := Sum(results, time.Second)
	if got.Requests != 3 || got.Bytes != 21 || got.Errors != 1 || got.First != io.EOF || got.Rate() != 3 {
		t.Errorf("%+v", got)
	}
	if p50 := got.Percentile(50).Round(100 * time.Microsecond); p50 != 5*time.Millisecond {
		t.Errorf("p50 is %v", p50)
	}
	if m := got.Max().Round(time.Second); m != time.Minute {
		t.Errorf("max is %v", m)
	}
}
