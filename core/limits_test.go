package recycling_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// refused expects a 503 response with Retry-After, and then the end of the connection.
func (c *client) refused() {
	c.t.Helper()
	res, _ := c.response()
	if res.StatusCode != http.StatusServiceUnavailable || !res.Close || res.Header.Get("Retry-After") == "" || res.Header.Get("Date") == "" {
		c.t.Errorf("answered with %v", res)
	}
	c.ended()
}

func TestMaxConnsClosesTheOldestIdleOne(t *testing.T) {
	parallel(t)
	for name, srv := range map[string]*http.Server{"": {}, "without a timeout": {IdleTimeout: -1}} {
		t.Run(name, func(t *testing.T) {
			needsParking(t)
			forEach(t, parkModes, func(t *testing.T, m mode) {
				s := m.start(t, &recycling.Server{HTTP: &http.Server{IdleTimeout: srv.IdleTimeout}, MaxConns: 3}, hello)
				var all []*client
				for i := range 3 {
					all = append(all, s.dial(t))
					all[i].get("/")
					s.await(t, "it to park", func(st recycling.Stats) bool { return st.Parked == int64(i+1) })
				}
				all[0].get("/") // now it has been idle for the shortest time
				s.await(t, "all to park", func(st recycling.Stats) bool { return st.Parked == 3 })
				s.dial(t).get("/")
				all[1].ended()
				all[0].get("/")
				all[2].get("/")
				if st := s.Stats(); st.Evicted != 1 || st.Open != 3 || st.Shed != 0 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

func TestMaxConnsLeavesOthersInTheKernelsQueue(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{MaxConns: 2}, g.serve)
		var all []*client
		for range 4 {
			c := s.dial(t)
			c.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			all = append(all, c)
		}
		receive(t, g.entered, "the first")
		receive(t, g.entered, "the second")
		s.await(t, "accepting to rest", func(st recycling.Stats) bool { return st.Held > 2 })
		if st := s.Stats(); st.Open != 2 || st.Accepted != 2 {
			t.Errorf("%+v", st)
		}
		g.open()
		for _, c := range all {
			if res, _ := c.response(); res.StatusCode != http.StatusOK {
				t.Errorf("answered with %v", res.Status)
			}
		}
	})
}

func TestRefuseConnsAnswersThem(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{MaxConns: 1, RefuseConns: true}, g.serve)
		one := s.dial(t)
		one.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
		receive(t, g.entered, "the first")
		for range 3 {
			c := s.dial(t)
			c.send(get)
			c.refused()
		}
		g.open()
		if res, _ := one.response(); res.StatusCode != http.StatusOK {
			t.Errorf("answered with %v", res.Status)
		}
		s.await(t, "the end", func(st recycling.Stats) bool {
			return st.Open == 0 && st.Accepted == 4 && st.Shed == 3 && st.ShedConns == 3 && st.Requests == 1
		})
		s.once(t, "/")
	})
}

func TestMaxConnsPerIP(t *testing.T) {
	parallel(t)
	if runtime.GOOS != "linux" {
		t.Skip("there is only one loopback address")
	}
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{MaxConnsPerIP: 2}, hello)
		one, two := s.dialFrom(t, "127.0.0.1"), s.dialFrom(t, "127.0.0.1")
		one.get("/")
		two.get("/")
		three := s.dialFrom(t, "127.0.0.1")
		three.send(get)
		three.refused()
		s.dialFrom(t, "127.0.0.2").get("/")
		one.Close()
		s.await(t, "the first to be closed", func(st recycling.Stats) bool { return st.Open == 2 })
		s.dialFrom(t, "127.0.0.1").get("/")
		if st := s.Stats(); st.ShedPerIP != 1 || st.Shed != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestMaxQueueRefusesWhatComesAfterThat(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{MaxWorkers: 1, Standby: 1, MaxQueue: 2}, g.serve)
		idle := s.dial(t)
		idle.get("/")
		busy := s.dial(t)
		busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		var wait []*client
		for i := range 2 {
			c := s.dial(t)
			c.send(get)
			s.await(t, "it to be queued", func(st recycling.Stats) bool { return st.Queued == int64(i+1) })
			wait = append(wait, c)
		}
		for range 3 {
			c := s.dial(t)
			c.send(get)
			c.refused()
		}
		idle.send(get)
		idle.refused()
		large := s.dial(t) // its body is still to come
		large.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n")
		large.refused()
		g.open()
		for _, c := range append(wait, busy) {
			if res, _ := c.response(); res.StatusCode != http.StatusOK {
				t.Errorf("answered with %v", res.Status)
			}
		}
		s.await(t, "the rest", func(st recycling.Stats) bool { return st.Open == 3 && st.Shed == 5 && st.ShedQueue == 5 })
	})
}

func TestQueueWaitRefusesWhatHasWaited(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{MaxWorkers: 1, Standby: 1, QueueWait: 50 * time.Millisecond}, g.serve)
		busy := s.dial(t)
		busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		for range 3 {
			var all []*client
			for range 3 {
				c := s.dial(t)
				c.send(get)
				all = append(all, c)
			}
			for _, c := range all {
				c.refused()
			}
		}
		g.open()
		busy.response()
		s.await(t, "the rest", func(st recycling.Stats) bool {
			return st.Open == 1 && st.ShedQueue == 9 && st.Queued == 0 && st.Requests == 1
		})
		s.once(t, "/")
	})
}

// If all workers are blocked in handlers, everything that needs none still works.
func TestBusyWorkersStopNothingElse(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{
			HTTP:       &http.Server{ReadHeaderTimeout: 500 * time.Millisecond},
			MaxWorkers: 2, Standby: 1, MaxQueue: 1, QueueWait: -1, HealthPath: "/health",
		}, g.serve)
		for range 2 {
			s.dial(t).send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
			receive(t, g.entered, "the handler")
		}
		waits := s.dial(t)
		waits.send(get)
		s.await(t, "it to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
		for range 10 {
			c := s.dial(t)
			c.send(get)
			c.refused()
			if body := s.once(t, "/health"); body != "answer" {
				t.Errorf("answered with %q", body)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown returned %v", err)
		}
		s.ended(t, http.ErrServerClosed)
		g.open()
		if res, _ := waits.response(); res.StatusCode != http.StatusOK {
			t.Errorf("answered with %v", res.Status)
		}
	})
}

func TestHealthPathIsServedInAnyCase(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{MaxWorkers: 1, Standby: 1, MaxQueue: 1, HealthPath: "/health"}, g.serve)
		idle := s.dial(t)
		idle.get("/health")
		overload(t, s, g)
		for range 3 {
			idle.get("/health")
			s.once(t, "/health")
		}
		for _, path := range []string{"/", "/healthy", "/health/", "/health?", "/wait/health"} {
			c := s.dial(t)
			c.send("GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path)
			c.refused()
		}
		idle.send(get) // reserve workers do not serve this
		idle.refused()
		g.open()
	})
}

func TestMaxRequestsPerConn(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		const limit = 20
		s := m.start(t, &recycling.Server{MaxRequestsPerConn: limit}, hello)
		counts := map[int]bool{}
		for range 40 {
			c := s.dial(t)
			n := 0
			for {
				n++
				c.send(get)
				if res, _ := c.response(); res.Close {
					break
				}
			}
			c.ended()
			if n < limit-limit/10 || n > limit {
				t.Errorf("%d requests were answered, want up to %d", n, limit)
			}
			counts[n] = true
		}
		if len(counts) < 2 {
			t.Errorf("all connections got the same number of requests: %v", counts)
		}
		s.await(t, "the end", func(st recycling.Stats) bool { return st.Open == 0 && st.Retired == 40 })
	})
}

func TestMaxRequestsPerConnInAPipeline(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{MaxRequestsPerConn: 3}, hello)
		c := s.dial(t)
		c.send("%s", strings.Repeat(get, 10))
		for i := range 3 {
			if res, _ := c.response(); res.Close != (i == 2) {
				t.Errorf("answer %d has close %v", i+1, res.Close)
			}
		}
		c.ended()
	})
}

func TestMaxConnAge(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{MaxConnAge: 100 * time.Millisecond}, hello)
		begin := time.Now()
		c := s.dial(t)
		for {
			c.send(get)
			if res, _ := c.response(); res.Close {
				break
			}
			if time.Since(begin) > patience/2 {
				t.Fatal("it gets older and older")
			}
		}
		c.ended()
		if age := time.Since(begin); age < 90*time.Millisecond {
			t.Errorf("it was closed after %v", age)
		}
	})
}

func TestBodyTimeout(t *testing.T) {
	parallel(t)
	overTLS := func(m mode) mode { m.name += "-tls"; return m }
	modes := append([]mode{}, workerModes...)
	modes = append(modes, overTLS(recyclingNet), overTLS(recyclingWrapped))
	forEach(t, modes, func(t *testing.T, m mode) {
		type result struct {
			n   int
			err error
		}
		results := make(chan result, 1)
		start, dial := m.start, func(s *instance) *client { return s.dial(t) }
		if strings.HasSuffix(m.name, "-tls") {
			start, dial = m.startTLS, func(s *instance) *client { return s.dial(t).shake().client }
		}
		s := start(t, &recycling.Server{BodyTimeout: 60 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			results <- result{len(b), err}
		})
		const post = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5000\r\n\r\n"
		c := dial(s)
		c.send("%s", post+strings.Repeat("x", 100))
		if r := receive(t, results, "the body"); !errors.Is(r.err, os.ErrDeadlineExceeded) || r.n != 100 {
			t.Errorf("read %d bytes, %v", r.n, r.err)
		}
		if res, _ := c.response(); !res.Close {
			t.Error("the connection goes on after half a body")
		}
		c.ended()

		c = dial(s)
		c.send("%s", post)
		go func(c *client) { // a byte now and then is no progress
			for {
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}(c)
		if r := receive(t, results, "the body"); !errors.Is(r.err, os.ErrDeadlineExceeded) {
			t.Errorf("read %d bytes, %v", r.n, r.err)
		}
		c.Close()

		c = dial(s)
		c.send("%s", post+strings.Repeat("x", 5000)+post+strings.Repeat("x", 5000))
		for range 2 {
			if r := receive(t, results, "the body"); r.err != nil || r.n != 5000 {
				t.Errorf("read %d bytes, %v", r.n, r.err)
			}
			if res, _ := c.response(); res.Close {
				t.Error("the connection does not go on after a whole body")
			}
		}
	})
}

func TestReadyUntilToldToEnd(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		s := &recycling.Server{HTTP: &http.Server{}, Strategy: m.strategy, LameDuck: time.Second}
		mux := http.NewServeMux()
		mux.HandleFunc("/", hello)
		mux.HandleFunc("/ready", s.Ready)
		s.HTTP.Handler = mux
		l, err := listenOwn()
		if err != nil {
			t.Fatal(err)
		}
		status := func() int {
			c := dialTo(t, l.Addr())
			c.send("GET /ready HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			res, _ := c.response()
			return res.StatusCode
		}
		ended := make(chan error, 1)
		go func() { ended <- s.Until(ctx, func() error { return s.Serve(l) }) }()
		if got := status(); got != http.StatusOK {
			t.Errorf("ready: %d", got)
		}
		begin := time.Now()
		cancel()
		for got := status(); got != http.StatusServiceUnavailable; got = status() { // until it has noticed
			if got != http.StatusOK {
				t.Fatalf("ready: %d", got)
			}
		}
		dialTo(t, l.Addr()).get("/")
		if err := receive(t, ended, "the end"); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d < s.LameDuck {
			t.Errorf("it ended after %v", d)
		}
	})
}

func TestErrorsOfTheSystemDoNotEndServe(t *testing.T) {
	parallel(t)
	forEach(t, wrappedModes[:2], func(t *testing.T, m mode) {
		var script []error
		for _, errno := range []syscall.Errno{syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM, syscall.ENETDOWN, syscall.EPROTO, syscall.EMFILE} {
			script = append(script, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", errno)})
		}
		h, _ := logging()
		s := m.scripted(script...).start(t, &recycling.Server{HTTP: h}, hello)
		s.once(t, "/")
	})
}

func TestStatsSayWhichLimitsThereAre(t *testing.T) {
	parallel(t)
	st := serveOne(t, &recycling.Server{
		HTTP: answering(), Strategy: recycling.Recycling,
		MaxWorkers: 7, Standby: 3, MaxQueue: -1, QueueWait: time.Second, MaxConns: 100, MaxConnsPerIP: 50,
		MaxRequestsPerConn: 1000, MaxConnAge: time.Hour, BodyTimeout: time.Minute, AnswerTimeout: time.Hour,
	})
	want := recycling.Limits{
		Workers: 7, QueueWait: time.Second, Conns: 100, ConnsPerIP: 50,
		RequestsPerConn: 1000, ConnAge: time.Hour, BodyTimeout: time.Minute, AnswerTimeout: time.Hour,
	}
	if st.Limits != want {
		t.Errorf("limits are %+v, want %+v", st.Limits, want)
	}
	if st = serveOne(t, &recycling.Server{HTTP: answering(), Strategy: recycling.Recycling, MaxWorkers: -1, MaxConns: -1, QueueWait: -1, MaxConnsPerIP: -1, MaxRequestsPerConn: -1, MaxConnAge: -1, BodyTimeout: -1, AnswerTimeout: -1, MaxQueue: -1}); st.Limits.Workers < 1<<20 {
		t.Errorf("limits are %+v, want none", st.Limits)
	} else if st.Limits.Workers = 0; st.Limits != (recycling.Limits{}) {
		t.Errorf("limits are %+v, want none", st.Limits)
	}
}

func TestEmptyLinesCountAsHeader(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: &http.Server{MaxHeaderBytes: 1000}}, hello)
		c := s.dial(t)
		for range 3 {
			c.send("%s", strings.Repeat("\r\n", 2000)+get) // the limit is for each request
			c.response()
		}
		c.send("%s", strings.Repeat("\r\n", 3000))
		if res, _ := c.response(); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("answered with %v", res.Status)
		}
	})
}

// The limit holds while connections come and go, not only while they are idle.
func TestMaxConnsIsABound(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		const limit, clients, requests = 10, 100, 300
		var most, served atomic.Int64
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		var s *instance
		s = m.start(t, &recycling.Server{MaxConns: limit, MaxQueue: clients}, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(5 * time.Millisecond)
			for n := s.Stats().Open; ; {
				if old := most.Load(); n <= old || most.CompareAndSwap(old, n) {
					break
				}
			}
			if served.Add(1) == requests {
				cancel()
			}
		})
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				for ctx.Err() == nil { // reconnects after its connection was closed while idle
					c, err := net.Dial("tcp", s.addr.String())
					if err != nil {
						t.Error(err)
						return
					}
					stop := context.AfterFunc(ctx, func() { c.Close() })
					for _, err = io.WriteString(c, get); err == nil; _, err = io.WriteString(c, get) {
						if _, err = c.Read(make([]byte, 1000)); err != nil {
							break
						}
					}
					stop()
					c.Close()
				}
			})
		}
		all.Wait()
		if n := most.Load(); n > limit+limit/2 || served.Load() < requests { // an idle one may just have resumed
			t.Errorf("%d connections were open during %d requests, want about %d during %d", n, served.Load(), limit, requests)
		}
	})
}

func TestRefusedConnectionsEvictNobody(t *testing.T) {
	parallel(t)
	if !recycling.Parks || runtime.GOOS != "linux" {
		t.Skip("connections do not park")
	}
	s := recyclingNet.start(t, &recycling.Server{MaxConns: 3, MaxConnsPerIP: 2}, hello)
	var idle []*client
	for range 2 {
		c := s.dial(t)
		c.get("/")
		idle = append(idle, c)
	}
	s.await(t, "them to park", func(st recycling.Stats) bool { return st.Parked == 2 })
	for range 3 {
		c := s.dial(t)
		c.send(get)
		c.refused()
	}
	for _, c := range idle {
		c.get("/")
	}
	if st := s.Stats(); st.Evicted != 0 || st.ShedPerIP != 3 {
		t.Errorf("%+v", st)
	}
}

// Reserve workers do not serve requests that follow one for HealthPath.
func TestWorkersInReserveAreForHealthPathOnly(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{MaxWorkers: 1, Standby: 1, MaxQueue: 1, HealthPath: "/health"}, g.serve)
		overload(t, s, g)
		for range 5 {
			c := s.dial(t)
			c.send("GET /health HTTP/1.1\r\nHost: test\r\n\r\nGET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
			c.response()
			s.once(t, "/health")
			post := s.dial(t)
			post.send("POST /health HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n")
			post.refused()
		}
		g.open()
	})
}

func TestLargestAndNoMaxQueue(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingNet, poolOwn}, func(t *testing.T, m mode) {
		for _, n := range []int{math.MaxInt, -1} {
			g := newGate(t)
			s := m.start(t, &recycling.Server{MaxWorkers: 1, Standby: 1, MaxQueue: n}, g.serve)
			one, two := s.dial(t), s.dial(t)
			one.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			receive(t, g.entered, "the handler")
			two.send(get)
			s.await(t, "the second to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
			g.open()
			for _, c := range []*client{one, two} {
				if res, _ := c.response(); res.StatusCode != http.StatusOK {
					t.Errorf("%d: answered with %v", n, res.Status)
				}
			}
			s.Close()
		}
	})
}

// BodyTimeout adds to other deadlines, and does not replace them.
func TestReadTimeoutHoldsBesideBodyTimeout(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		result := make(chan error, 1)
		s := m.start(t, &recycling.Server{HTTP: &http.Server{ReadTimeout: 100 * time.Millisecond}, BodyTimeout: time.Hour}, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			result <- err
		})
		c := s.dial(t)
		c.send("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
		go func() { // there is always something to read
			for {
				if _, err := io.WriteString(c, "5\r\nhello\r\n"); err != nil {
					return
				}
			}
		}()
		if err := receive(t, result, "the end of the body"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("reading ends with %v", err)
		}
		c.Close()
	})
}

func TestBodyTimeoutLeavesWritingAlone(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingNet}, func(t *testing.T, m mode) {
		const size = 4 << 20
		s := m.startTLS(t, &recycling.Server{BodyTimeout: time.Hour}, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			var read sync.WaitGroup
			read.Go(func() { io.Copy(io.Discard, r.Body) })
			for range size >> 14 {
				if _, err := w.Write(make([]byte, 1<<14)); err != nil {
					t.Error(err)
					break
				}
			}
			read.Wait()
		})
		c := s.dial(t).shake()
		c.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", size)
		go func() {
			for range size >> 10 {
				if _, err := c.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}()
		if _, body := c.response(); len(body) != size {
			t.Errorf("the answer has %d bytes, want %d", len(body), size)
		}
	})
}
