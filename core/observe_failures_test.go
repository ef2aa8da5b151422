package recycling_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// An Observer that panics does not keep others from what they have to know, nor break a Recorder
// that has the request in its list.
func TestPanicOfAnObserverLeavesOthersIntact(t *testing.T) {
	parallel(t)
	for _, in := range []string{"start", "end"} {
		t.Run(in, func(t *testing.T) {
			forEach(t, everyMode, func(t *testing.T, m mode) {
				rec, o := observe.NewRecorder(), new(recordingObserver)
				s := m.start(t, &recycling.Server{Observer: observe.Observers(&bomb{in: in}, rec, o), HTTP: quiet()}, hello)
				c := s.dial(t)
				c.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
				io.Copy(io.Discard, c.r)
				for range 3 {
					s.once(t, "/")
				}
				o.ended(t, 4)
				if o.started != 4 || len(o.requests) != 4 {
					t.Errorf("%d requests have started, and %d ended; want 4", o.started, len(o.requests))
				}
				active := make(chan int, 1)
				go func() {
					_, n := rec.Active(10)
					active <- n
				}()
				if n := receive(t, active, "Active"); n != 0 {
					t.Errorf("%d requests are in flight, want none", n)
				}
			})
		})
	}
}

// The client leaves while the handler waits for it to read a large part of the response.
func TestFirstByteIsKnownThoughTheClientLeaves(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		o := new(recordingObserver)
		s := m.start(t, &recycling.Server{Observer: o, HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(64<<20))
			w.Write(make([]byte, 64<<20)) // more than the socket buffers
		})
		c := s.dial(t)
		c.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
		if _, err := c.r.ReadByte(); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if got := o.ended(t, 1); got.FirstByte <= 0 || got.FirstByte > got.Duration {
			t.Errorf("the first byte came after %v of %v", got.FirstByte, got.Duration)
		}
	})
}

// A statsObserver calls Stats whenever it is told something.
type statsObserver struct{ server *recycling.Server }

func (o *statsObserver) RequestStart(*observe.Request) { o.server.Stats() }
func (o *statsObserver) RequestEnd(*observe.Request)   { o.server.Stats() }
func (o *statsObserver) Conn(observe.ConnEvent)        { o.server.Stats() }

func TestObserverMayCallStats(t *testing.T) {
	parallel(t)
	for name, l := range map[string]recycling.Limits{
		"MaxConns":      {MaxConns: 2},
		"MaxConnsPerIP": {MaxConnsPerIP: 2},
		"MaxQueue":      {MaxWorkers: 1, MaxQueue: 1},
		"QueueWait":     {MaxWorkers: 1, QueueWait: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, workerModes, func(t *testing.T, m mode) {
				o := &statsObserver{&recycling.Server{Limits: l, HTTP: quiet()}}
				o.server.Observer = o
				s := m.start(t, o.server, hello)
				var clients sync.WaitGroup
				for range 8 {
					c := s.dial(t)
					clients.Go(func() {
						io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
						io.Copy(io.Discard, c.r)
					})
				}
				over := make(chan struct{})
				go func() {
					clients.Wait()
					close(over)
				}()
				receive(t, over, "the end of all connections")
			})
		})
	}
}

func TestEveryRequestThatStartsEndsOnce(t *testing.T) {
	parallel(t)
	hijack := func(w http.ResponseWriter) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
		}
		io.WriteString(w, "too late")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/hijack-panic", func(w http.ResponseWriter, _ *http.Request) { hijack(w); panic(http.ErrAbortHandler) })
	mux.HandleFunc("/hijack-goexit", func(w http.ResponseWriter, _ *http.Request) { hijack(w); runtime.Goexit() })
	mux.HandleFunc("/goexit", func(http.ResponseWriter, *http.Request) { runtime.Goexit() })
	mux.HandleFunc("/left", func(w http.ResponseWriter, r *http.Request) {
		go func() {
			for i := range 100 {
				observe.SetRoute(r.Context(), "late")
				if i%10 == 0 {
					fmt.Fprint(w, i)
				}
				runtime.Gosched()
			}
		}()
		runtime.Gosched()
	})
	mux.HandleFunc("/", hello)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		o := new(recordingObserver)
		s := m.start(t, &recycling.Server{Observer: o, HTTP: quiet()}, mux.ServeHTTP)
		n := 0
		for _, test := range []struct {
			request string
			outcome observe.Outcome
			status  int
		}{
			{"GET /hijack-panic HTTP/1.1\r\nHost: test\r\n\r\n", observe.Hijacked, 0},
			{"GET /hijack-goexit HTTP/1.1\r\nHost: test\r\n\r\n", observe.Hijacked, 0},
			{"GET /goexit HTTP/1.1\r\nHost: test\r\n\r\n", observe.Aborted, 0},
			{"GET / HTTP/1.1\r\nHost: test\r\nExpect: more\r\n\r\n", observe.Completed, http.StatusExpectationFailed},
		} {
			if m.strategy == recycling.Goroutine && test.status == http.StatusExpectationFailed {
				continue // net/http calls no handler
			}
			n++
			c := s.dial(t)
			c.send("%s", test.request)
			io.Copy(io.Discard, c.r)
			if got := o.ended(t, n); got.Outcome != test.outcome || got.Status != test.status {
				t.Errorf("%q: %v with status %d, want %v and %d", test.request, got.Outcome, got.Status, test.outcome, test.status)
			}
		}
		if m.strategy != recycling.Goroutine { // net/http itself has data races then
			for range 10 {
				c := s.dial(t)
				c.send("GET /left HTTP/1.1\r\nHost: test\r\n\r\nGET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
				io.Copy(io.Discard, c.r)
				n += 2
				if got := o.ended(t, n); got.Route != "/" {
					t.Errorf("the route is %q, want that of the request", got.Route)
				}
			}
		}
		c := s.dial(t)
		c.send("GET / HTTP/9.1\r\nHost: test\r\n\r\n") // an error that no handler sees
		io.Copy(io.Discard, c.r)
		s.once(t, "/")
		o.ended(t, n+1)
		if o.started != n+1 || len(o.requests) != n+1 {
			t.Errorf("%d requests have started, and %d ended; want %d", o.started, len(o.requests), n+1)
		}
	})
}

func TestReverseProxyUpgradesUnderAnObserver(t *testing.T) {
	parallel(t)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.Flush()
		line, _ := rw.ReadString('\n')
		rw.WriteString(line)
		rw.Flush()
	}))
	t.Cleanup(backend.Close)
	u, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		o := new(recordingObserver)
		s := m.start(t, &recycling.Server{Observer: o, HTTP: quiet()}, proxy.ServeHTTP)
		c := s.dial(t)
		c.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		res, err := http.ReadResponse(c.r, nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("got %v, %v, want status 101", res, err)
		}
		c.send("hi\n")
		if line, err := c.r.ReadString('\n'); line != "hi\n" {
			t.Errorf("got %q, %v, want the line that was sent", line, err)
		}
		c.Close()
		if got := o.ended(t, 1); got.Outcome != observe.Hijacked || got.Status != 0 {
			t.Errorf("got %+v, want a request that was hijacked", got)
		}
	})
}
