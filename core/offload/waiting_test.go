package offload_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
)

// serveOne serves h with one worker.
func serveOne(t *testing.T, h http.Handler) (s *recycling.Server, addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = &recycling.Server{
		Strategy: recycling.Recycling,
		HTTP:     &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)},
		Limits:   recycling.Limits{MaxWorkers: 1},
		Standby:  1,
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		<-served
	})
	return s, l.Addr().String()
}

// counts waits until as many workers of s are busy, and as many handlers wait.
func counts(t *testing.T, s *recycling.Server, busy, waiting int) {
	t.Helper()
	st := s.Stats()
	for deadline := time.Now().Add(10 * time.Second); st.Busy != busy || st.Waiting != waiting; st = s.Stats() {
		if time.Now().After(deadline) {
			t.Fatalf("%d are busy and %d wait, want %d and %d", st.Busy, st.Waiting, busy, waiting)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestQueuedHandlersHoldNoWorkerOfTheServer has handlers wait for a worker of a pool. The one that
// has it counts, and the others do not, so that light requests are served.
func TestQueuedHandlersHoldNoWorkerOfTheServer(t *testing.T) {
	type key struct{}
	p := newPool(t, offload.Config{Workers: 1, Wait: -1})
	next := make(chan bool)
	mux := http.NewServeMux()
	heavy := func(w http.ResponseWriter, r *http.Request) {
		<-next
		io.WriteString(w, "heavy")
	}
	mux.Handle("/middleware", p.Middleware(http.HandlerFunc(heavy)))
	mux.HandleFunc("/admit", func(w http.ResponseWriter, r *http.Request) {
		_, release, err := p.Admit(context.WithValue(r.Context(), key{}, 1))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer release()
		heavy(w, r)
	})
	mux.HandleFunc("/light", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "light") })
	s, addr := serveOne(t, mux)
	_, release, err := p.Admit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var all []net.Conn
	for i := range 6 {
		all = append(all, send(t, addr, []string{"/middleware", "/admit"}[i%2]))
		until(t, p, "the handler to wait", func(st offload.Stats) bool { return st.Queued == i+1 })
	}
	counts(t, s, 0, len(all))
	if _, _, body := answer(send(t, addr, "/light")); body != "light" {
		t.Errorf("a light request was answered with %q", body)
	}
	release()
	for left := len(all) - 1; left >= 0; left-- {
		counts(t, s, 1, left)
		next <- true
	}
	for _, c := range all {
		if _, _, body := answer(c); body != "heavy" {
			t.Errorf("a heavy request was answered with %q", body)
		}
	}
	counts(t, s, 0, 0)
}

// TestHandlersWaitForTheirTask has handlers call Do and Use: they do not count until these have
// returned.
func TestHandlersWaitForTheirTask(t *testing.T) {
	next := make(chan string)
	task := func() (string, error) {
		if s := <-next; s != "panic" {
			return s, nil
		}
		panic("panic")
	}
	p := newPool(t, offload.Config{Workers: 1, Wait: -1})
	shop := &shop{t: t}
	r, err := offload.NewResources(context.Background(), offload.ResourceConfig[*handle]{
		Config: offload.Config{Workers: 1, Wait: -1}, Open: shop.open, Close: shop.close,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		r.Close()
		<-r.Done()
	}()
	ways := map[string]func(context.Context) (string, error){
		"/do": func(ctx context.Context) (string, error) {
			return offload.Do(ctx, p, func(context.Context) (string, error) { return task() })
		},
		"/use": func(ctx context.Context) (string, error) {
			return offload.Use(ctx, r, func(context.Context, *handle) (string, error) { return task() })
		},
	}
	begin, end := make(chan bool), make(chan bool)
	s, addr := serveOne(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin <- true
		got, err := ways[r.URL.Path](r.Context())
		end <- true
		if err != nil {
			got = err.Error()
		}
		io.WriteString(w, got)
	}))
	for path := range ways {
		first := send(t, addr, path)
		<-begin
		second := send(t, addr, path)
		<-begin // although MaxWorkers is 1
		counts(t, s, 0, 2)
		next <- "answer"
		counts(t, s, 1, 1)
		<-end
		next <- "answer"
		counts(t, s, 1, 0)
		<-end
		for _, c := range []net.Conn{first, second} {
			if _, _, body := answer(c); body != "answer" {
				t.Errorf("%s: answered with %q", path, body)
			}
		}
		panics := send(t, addr, path)
		<-begin
		counts(t, s, 0, 1)
		next <- "panic"
		if status, _, body := answer(panics); status != 0 {
			t.Errorf("%s: answered with %d, %q after a panic", path, status, body)
		}
		counts(t, s, 0, 0)
	}
}

// TestHandlerThatLeavesCounts has a handler leave while its task runs.
func TestHandlerThatLeavesCounts(t *testing.T) {
	p := newPool(t, offload.Config{Workers: 1})
	leave, end := make(chan context.CancelFunc, 1), make(chan bool)
	s, addr := serveOne(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		leave <- cancel
		_, err := offload.Do(ctx, p, func(context.Context) (int, error) { <-end; return 0, nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Do returned %v", err)
		}
		<-end
		io.WriteString(w, "left")
	}))
	c := send(t, addr, "/")
	cancel := <-leave
	counts(t, s, 0, 1)
	cancel()
	counts(t, s, 1, 0)
	close(end)
	if _, _, body := answer(c); !strings.Contains(body, "left") {
		t.Errorf("answered with %q", body)
	}
}

// TestHandlerThatGetsAWorkerAtOnceDoesNotWait compares the allocations of a call with the context
// of a request, and without.
func TestHandlerThatGetsAWorkerAtOnceDoesNotWait(t *testing.T) {
	p := newPool(t, offload.Config{Workers: 1})
	with, without := make(chan float64, 1), make(chan float64, 1)
	_, addr := serveOne(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admit := func(ctx context.Context) func() {
			return func() {
				_, release, err := p.Admit(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				release()
			}
		}
		with <- testing.AllocsPerRun(100, admit(r.Context()))
		without <- testing.AllocsPerRun(100, admit(context.Background()))
	}))
	answer(send(t, addr, "/"))
	if a, b := <-with, <-without; a != b {
		t.Errorf("%v allocations with the context of a request, %v without", a, b)
	}
}
