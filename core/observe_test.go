package recycling_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// A recordingObserver is an Observer that keeps what it is told.
type recordingObserver struct {
	mu       sync.Mutex // guards the following
	started  int
	requests []observe.Request
	conns    []observe.ConnEvent
}

func (o *recordingObserver) RequestStart(*observe.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.started++
}

func (o *recordingObserver) RequestEnd(r *observe.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = append(o.requests, *r)
}

func (o *recordingObserver) Conn(e observe.ConnEvent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.conns = append(o.conns, e)
}

// ended waits for the nth request to end, and returns it.
func (o *recordingObserver) ended(t *testing.T, n int) (r observe.Request) {
	t.Helper()
	if !holds(func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.requests) >= n {
			r = o.requests[n-1]
		}
		return len(o.requests) >= n
	}) {
		t.Fatalf("%d requests have ended, want %d", len(o.requests), n)
	}
	return r
}

// events returns how many events of a kind there were.
func (o *recordingObserver) events(kind observe.ConnKind, why observe.Reason) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.conns {
		if e.Kind == kind && e.Reason == why {
			n++
		}
	}
	return n
}

func TestObserverIsToldAboutEveryRequest(t *testing.T) {
	parallel(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	mux.HandleFunc("/routed", func(w http.ResponseWriter, r *http.Request) {
		observe.SetRoute(r.Context(), "the route")
		w.WriteHeader(http.StatusTeapot)
	})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "part")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/hijack", func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			c.Close()
		}
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, _ *http.Request) {
		io.Copy(w, strings.NewReader(strings.Repeat("x", 1<<20)))
	})
	tests := []struct {
		request string
		want    observe.Request
	}{
		{"GET /hello/you", observe.Request{Method: "GET", Path: "/hello/you", Route: "GET /hello/{name}", Status: 200, Written: 5}},
		{"HEAD /hello/you", observe.Request{Method: "HEAD", Path: "/hello/you", Route: "GET /hello/{name}", Status: 200, Written: 5}},
		{"POST /routed", observe.Request{Method: "POST", Path: "/routed", Route: "the route", Status: 418}},
		{"GET /nowhere", observe.Request{Method: "GET", Path: "/nowhere", Status: 404, Written: 19}},
		{"GET /panic", observe.Request{Method: "GET", Path: "/panic", Route: "/panic", Outcome: observe.Aborted}},
		{"GET /cut", observe.Request{Method: "GET", Path: "/cut", Route: "/cut", Status: 200, Written: 4, Outcome: observe.Aborted}},
		{"GET /hijack", observe.Request{Method: "GET", Path: "/hijack", Route: "/hijack", Outcome: observe.Hijacked}},
		{"GET /file", observe.Request{Method: "GET", Path: "/file", Route: "/file", Status: 200, Written: 1 << 20}},
	}
	forEach(t, everyMode, func(t *testing.T, m mode) {
		o := new(recordingObserver)
		s := m.start(t, &recycling.Server{Observer: o}, mux.ServeHTTP)
		for i, test := range tests {
			before := observe.Now()
			c := s.dial(t)
			c.send("%s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", test.request)
			io.Copy(io.Discard, c.r)
			got := o.ended(t, i+1)
			now := observe.Now()
			if got.RemoteAddr != c.LocalAddr().String() {
				t.Errorf("%s: RemoteAddr is %q, want %q", test.request, got.RemoteAddr, c.LocalAddr())
			}
			if got.Start < before || got.Start+got.Duration > now || got.Duration <= 0 {
				t.Errorf("%s: from %v for %v, want within %v to %v", test.request, got.Start, got.Duration, before, now)
			}
			wrote := got.Outcome == observe.Completed || got.Written > 0
			if (got.FirstByte > 0) != wrote || got.FirstByte > got.Duration {
				t.Errorf("%s: the first byte came after %v of %v", test.request, got.FirstByte, got.Duration)
			}
			if got.Queued < 0 || got.Queued > now-before {
				t.Errorf("%s: queued for %v", test.request, got.Queued)
			}
			if got.TLS || got.ProtoMajor != 1 || got.ProtoMinor != 1 || got.ContentLength != 0 {
				t.Errorf("%s: TLS %v, HTTP/%d.%d, length %d", test.request, got.TLS, got.ProtoMajor, got.ProtoMinor, got.ContentLength)
			}
			want := test.want
			if m.strategy == recycling.Goroutine && want.Method == "HEAD" {
				want.Written = got.Written
			}
			got = observe.Request{Method: got.Method, Path: got.Path, Route: got.Route, Status: got.Status, Written: got.Written, Outcome: got.Outcome}
			if got != want {
				t.Errorf("%s:\n got %+v\nwant %+v", test.request, got, want)
			}
		}
		if o.started != len(tests) {
			t.Errorf("%d requests have started, want %d", o.started, len(tests))
		}
	})
}

func TestObserverIsToldAboutHTTP2(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		o := new(recordingObserver)
		h := &http.Server{Protocols: protocols((*http.Protocols).SetHTTP1, (*http.Protocols).SetUnencryptedHTTP2)}
		s := m.start(t, &recycling.Server{HTTP: h, Observer: o}, func(w http.ResponseWriter, r *http.Request) {
			observe.SetRoute(r.Context(), "two")
			_, flusher := w.(http.Flusher)
			_, hijacker := w.(http.Hijacker)
			_, pusher := w.(http.Pusher)
			fmt.Fprint(w, flusher, hijacker, pusher)
		})
		transport := &http.Transport{Protocols: protocols((*http.Protocols).SetUnencryptedHTTP2)}
		httpClient := &http.Client{Transport: transport, Timeout: patience}
		defer httpClient.CloseIdleConnections()
		if got := getURL(t, httpClient, "http://"+s.addr.String()+"/x"); got != "true false true" {
			t.Errorf("interfaces are %q", got)
		}
		got := o.ended(t, 1)
		if got.Route != "two" || got.Status != 200 || got.Written != 15 || got.FirstByte <= 0 || got.Path != "/x" || got.ProtoMajor != 2 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestObserverKnowsTheQueueingDelay(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, append(parkModes, recyclingWrapped, poolOwn), func(t *testing.T, m mode) {
		o, g := new(recordingObserver), newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1, Observer: o}, g.serve)
		busy, late := s.dial(t), s.dial(t)
		busy.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
		receive(t, g.entered, "the handler")
		late.send(get)
		s.await(t, "it to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
		from := time.Now()
		for time.Since(from) < 5*time.Millisecond {
			s.Stats()
		}
		waited := time.Since(from)
		g.open()
		late.response()
		if got := o.ended(t, 2); got.Queued < waited-time.Microsecond {
			t.Errorf("queued for %v, want at least %v", got.Queued, waited)
		}
		late.get("/") // the worker waits for it
		if got := o.ended(t, 3); m.parks && got.Queued > got.Start {
			t.Errorf("queued for %v", got.Queued)
		}
	})
}

func TestObserverIsToldAboutConnections(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		o := new(recordingObserver)
		s := m.start(t, &recycling.Server{Observer: o, Limits: recycling.Limits{MaxConnsPerIP: 1}}, hello)
		first := s.dial(t)
		first.get("/")
		second := s.dial(t)
		second.send(get)
		second.refused()
		first.Close()
		second.Close()
		if !holds(func() bool { return o.events(observe.Closed, "") == 2 }) {
			t.Errorf("got %+v", o.conns)
		}
		for _, test := range []struct {
			kind observe.ConnKind
			why  observe.Reason
			want int
		}{{observe.Accepted, "", 2}, {observe.Refused, observe.MaxConnsPerIP, 1}, {observe.Taken, "", 0}} {
			if n := o.events(test.kind, test.why); n != test.want {
				t.Errorf("%d connections %v, want %d: %+v", n, test.kind, test.want, o.conns)
			}
		}
	})
}

// A bomb is an Observer one of whose methods panics once.
type bomb struct {
	recordingObserver
	in       string
	exploded atomic.Bool
}

var errBomb = errors.New("panic of the test's Observer")

func (o *bomb) explode(in string) {
	if o.in == in && !o.exploded.Swap(true) {
		panic(errBomb)
	}
}

func (o *bomb) RequestStart(r *observe.Request) {
	o.explode("start")
	o.recordingObserver.RequestStart(r)
}
func (o *bomb) RequestEnd(r *observe.Request) { o.explode("end"); o.recordingObserver.RequestEnd(r) }
func (o *bomb) Conn(e observe.ConnEvent)      { o.explode(e.Kind.String()); o.recordingObserver.Conn(e) }

func TestPanicOfAnObserverCostsOneConnection(t *testing.T) {
	parallel(t)
	for _, in := range []string{"start", "end", "accepted", "closed"} {
		t.Run(in, func(t *testing.T) {
			forEach(t, workerModes, func(t *testing.T, m mode) {
				s := m.start(t, &recycling.Server{Observer: &bomb{in: in}, HTTP: quiet()}, hello)
				c := s.dial(t)
				c.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
				io.Copy(io.Discard, c.r)
				for range 3 {
					if got := s.once(t, "/"); got != "hello" {
						t.Errorf("answered %q", got)
					}
				}
			})
		})
	}
}

// With an Observer, a request allocates nothing more. AllocsPerRun rounds down, and with the race
// detector sync.Pool drops values at random, so one allocation more may be chance; that a Recorder
// allocates nothing is a test of package observe.
func TestObserverAllocatesNothing(t *testing.T) {
	count := func(name string, o observe.Observer) (n float64) {
		t.Run(name, func(t *testing.T) {
			s := recyclingOwn.start(t, &recycling.Server{Observer: o}, hello)
			c := s.dial(t)
			buf := make([]byte, 4<<10)
			request := []byte(get)
			n = testing.AllocsPerRun(500, func() {
				c.Write(request)
				if _, err := c.Read(buf); err != nil {
					t.Fatal(err)
				}
			})
		})
		return n
	}
	off, on := count("off", nil), count("on", observe.NewRecorder())
	if on > off+1 {
		t.Errorf("a request allocates %v times, and %v times without an Observer", on, off)
	}
}

// An addrObserver asks for the local address of each request when it ends.
type addrObserver struct {
	recordingObserver
	addrs chan string
}

func (o *addrObserver) RequestEnd(r *observe.Request) {
	o.addrs <- fmt.Sprint(r.HTTP.Context().Value(http.LocalAddrContextKey))
}

func TestObserverMayAskForTheLocalAddress(t *testing.T) {
	parallel(t)
	l, err := net.Listen("tcp", "0.0.0.0:0") // its address is not that of a connection
	if err != nil {
		t.Fatal(err)
	}
	o := &addrObserver{addrs: make(chan string, 2)}
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	s := serve(&recycling.Server{HTTP: &http.Server{Handler: handler}, Observer: o}, l)
	addr := fmt.Sprint("127.0.0.1:", l.Addr().(*net.TCPAddr).Port)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.0\r\n\r\n")
	for range 2 {
		if got := <-o.addrs; got != addr {
			t.Errorf("it is %v, want %v", got, addr)
		}
	}
	s.Close()
	s.ended(t, http.ErrServerClosed)
}
