package offload_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
)

// inEveryServer runs test for each strategy with the address of a server of h.
func inEveryServer(t *testing.T, h http.Handler, test func(t *testing.T, addr string)) {
	for _, strategy := range []recycling.Strategy{recycling.Goroutine, recycling.Recycling, recycling.Fixed} {
		t.Run(string(strategy), func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := &recycling.Server{Strategy: strategy, HTTP: &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}}
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()
			defer func() {
				s.Close()
				<-served
			}()
			test(t, l.Addr().String())
		})
	}
}

// send sends a request on a connection of its own, which ends with the response: an idle one has a
// worker where the server does not park.
func send(t *testing.T, addr, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", path)
	return c
}

// answer reads a response. The status is 0 if the connection ended instead.
func answer(c net.Conn) (status int, retryAfter, body string) {
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, "", err.Error()
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, res.Header.Get("Retry-After"), string(b)
}

// until waits until p's Stats are as wanted.
func until(t *testing.T, p interface{ Stats() offload.Stats }, what string, ok func(offload.Stats) bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(p.Stats()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s: %+v", what, p.Stats())
		}
	}
}

func TestMiddlewareBoundsHandlers(t *testing.T) {
	var p *offload.Pool
	let := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/light" {
			io.WriteString(w, "light")
			return
		}
		p.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-let
			io.WriteString(w, "heavy")
		})).ServeHTTP(w, r)
	})
	inEveryServer(t, h, func(t *testing.T, addr string) {
		p = newPool(t, offload.Config{Workers: 1, Queue: 2, Wait: -1, RetryAfter: 1500 * time.Millisecond})
		first := send(t, addr, "/")
		until(t, p, "a handler to run", func(s offload.Stats) bool { return s.Running == 1 })
		second, third := send(t, addr, "/"), send(t, addr, "/")
		until(t, p, "two to wait", func(s offload.Stats) bool { return s.Queued == 2 })
		if status, after, body := answer(send(t, addr, "/")); status != 503 || after != "2" || body != "503 Service Unavailable\n" {
			t.Errorf("the fourth was answered with %d, %q, %q", status, after, body)
		}
		if status, _, body := answer(send(t, addr, "/light")); status != 200 || body != "light" {
			t.Errorf("a light one was answered with %d, %q", status, body)
		}
		second.Close() // the client disconnects
		until(t, p, "one to leave", func(s offload.Stats) bool { return s.Queued == 1 && s.Left == 1 })
		let <- struct{}{}
		let <- struct{}{}
		for _, c := range []net.Conn{first, third} {
			if status, _, body := answer(c); status != 200 || body != "heavy" {
				t.Errorf("a heavy one was answered with %d, %q", status, body)
			}
		}
	})
}

func TestMiddlewareBoundsTheWait(t *testing.T) {
	var p *offload.Pool
	let := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-let })).ServeHTTP(w, r)
	})
	inEveryServer(t, h, func(t *testing.T, addr string) {
		p = newPool(t, offload.Config{Workers: 1, Wait: 20 * time.Millisecond,
			ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
				w.WriteHeader(http.StatusTooManyRequests)
				fmt.Fprint(w, r.URL.Path, errors.Is(err, offload.ErrWait))
			}})
		first := send(t, addr, "/")
		until(t, p, "a handler to run", func(s offload.Stats) bool { return s.Running == 1 })
		if status, after, body := answer(send(t, addr, "/path")); status != 429 || after != "1" || body != "/pathtrue" {
			t.Errorf("answered with %d, %q, %q", status, after, body)
		}
		let <- struct{}{}
		if status, _, _ := answer(first); status != 200 {
			t.Errorf("the first was answered with %d", status)
		}
	})
}

func TestPanicsReachTheServerAndTheFramework(t *testing.T) {
	var p *offload.Pool
	var recovered atomic.Value
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { // as frameworks do
			if v := recover(); v != nil {
				recovered.Store(fmt.Sprint(v))
				panic(v)
			}
		}()
		p.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			switch r.URL.Path {
			case "/panic":
				panic("a handler's own")
			case "/abort":
				panic(http.ErrAbortHandler)
			case "/exit":
				runtime.Goexit()
			}
		})).ServeHTTP(w, r)
	})
	inEveryServer(t, h, func(t *testing.T, addr string) {
		p = newPool(t, offload.Config{Workers: 1, Queue: -1})
		n := uint64(0)
		for path, want := range map[string]string{
			"/panic": "a handler's own",
			"/abort": http.ErrAbortHandler.Error(),
			"/exit":  "",
			"/":      "",
		} {
			recovered.Store("")
			status, _, _ := answer(send(t, addr, path))
			if (status == 200) != (path == "/") || recovered.Load() != want {
				t.Errorf("%s: status %d, recovered %q", path, status, recovered.Load())
			}
			n++
			until(t, p, "the worker to be free", func(s offload.Stats) bool { return s.Idle == 1 && s.Done == n })
		}
	})
}

func TestMiddlewareLeavesTheRequestAlone(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	for _, timeout := range []time.Duration{0, time.Hour} {
		p := newPool(t, offload.Config{Timeout: timeout})
		p.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, got *http.Request) {
			if _, ok := got.Context().Deadline(); (got == r) == ok || ok != (timeout > 0) {
				t.Errorf("with Timeout %v: same request is %t, a deadline %t", timeout, got == r, ok)
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
	}
}

func TestDefaultAnswerToADeadlineIs503(t *testing.T) {
	p := newPool(t, offload.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := httptest.NewRecorder()
	p.Middleware(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	if w.Code != 503 || w.Header().Get("Retry-After") != "" {
		t.Errorf("%d, %v", w.Code, w.Header())
	}
}

func TestReleaseTwice(t *testing.T) {
	p := newPool(t, offload.Config{Workers: 2})
	ctx, release, err := p.Admit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := p.Admit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	release()
	release()
	if s := p.Stats(); s.Running != 1 || s.Done != 1 {
		t.Errorf("%+v", s)
	}
	other()
}

func TestRetryAfter(t *testing.T) {
	for d, want := range map[time.Duration]string{1: "1", time.Second: "1", time.Second + 1: "2", time.Minute: "60"} {
		err := fmt.Errorf("wrapped: %w", &offload.ShedError{Reason: offload.ErrFull, RetryAfter: d})
		if got := offload.RetryAfter(err); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
		if !strings.Contains(err.Error(), "offload: queue is full") {
			t.Error(err)
		}
	}
	if got := offload.RetryAfter(context.Canceled); got != "" {
		t.Errorf("%q", got)
	}
}

// All ways are used at once, while the pool is shut down.
func TestStress(t *testing.T) {
	for _, policy := range []offload.Policy{offload.Shared, offload.RoundRobin} {
		for _, force := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v,force=%t", policy, force), func(t *testing.T) {
				p := newPool(t, offload.Config{Workers: 3, Queue: 5, Wait: time.Millisecond, Timeout: 2 * time.Millisecond, Policy: policy, Panic: func(any, []byte) {}})
				var running atomic.Int32
				var callers sync.WaitGroup
				calls := uint64(0)
				for i := range 16 {
					const each = 200
					calls += each
					callers.Go(func() {
						for n := range each {
							ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n%7)*300*time.Microsecond)
							func() {
								defer func() { recover() }()
								ways[i%2].run(ctx, p, func(ctx context.Context) error {
									defer running.Add(-1)
									if n := running.Add(1); n > 3 {
										t.Errorf("%d run", n)
									}
									if n%10 == 0 {
										panic(n)
									}
									time.Sleep(time.Duration(n%5) * 100 * time.Microsecond)
									return nil
								})
							}()
							cancel()
							if i == 0 && n == each/2 {
								callers.Go(func() {
									if force {
										p.Close()
									} else {
										p.Shutdown(context.Background())
									}
								})
							}
						}
					})
				}
				callers.Wait()
				<-p.Done()
				s := p.Stats()
				if sum := s.Answered + s.Abandoned + s.Left + s.Full + s.Late + s.Closed; sum != calls || s.Done != s.Answered+s.Abandoned || s.Queued+s.Running+s.Idle != 0 {
					t.Errorf("%+v: %d calls are counted, want %d", s, sum, calls)
				}
			})
		}
	}
}

func TestIdleWorkersAreNoGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(ways[0], newPool(t, offload.Config{Workers: 100}))
		for range 100 {
			c.call(context.Background(), sleep(time.Second))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := strings.Count(stacks(), "alitto/pond"); n > 0 {
			t.Errorf("goroutines of pond are left:\n%s", stacks())
		}
	})
}

func stacks() string {
	buf := make([]byte, 4<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
