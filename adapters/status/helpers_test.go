package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// patience is how long a condition may take to become true.
const patience = 10 * time.Second

// eventually waits until ok returns true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// An app is a server with handlers that a test controls.
type app struct {
	t      *testing.T
	server *recycling.Server
	addr   string
	served chan error

	mu      sync.Mutex // guards the following
	held    chan struct{}
	holding int // handlers that wait for held
	cancels []func()
	wait    sync.WaitGroup
}

// startApp serves until the test ends. Set has options of the server.
func startApp(t *testing.T, set ...recycling.Option) *app {
	t.Helper()
	a := &app{t: t, served: make(chan error, 1), held: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "a user") })
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "broken", 500) })
	mux.HandleFunc("/hold/", func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		held := a.held
		a.holding++
		a.mu.Unlock()
		select {
		case <-held:
		case <-r.Context().Done():
		}
		a.mu.Lock()
		a.holding--
		a.mu.Unlock()
	})
	options := append([]recycling.Option{func(s *recycling.Server) {
		s.Log, s.Standby = quiet(), -1
	}}, set...)
	a.server = recycling.New(mux, options...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.addr = l.Addr().String()
	go a.serve(l)
	t.Cleanup(a.stop)
	eventually(t, "the server serves", func() bool { return a.server.Stats().Version != "" })
	return a
}

func (a *app) serve(l net.Listener) { a.served <- a.server.Serve(l) }

func (a *app) stop() {
	a.release()
	a.mu.Lock()
	for _, cancel := range a.cancels {
		cancel()
	}
	a.mu.Unlock()
	a.server.Close()
	if err := <-a.served; !errors.Is(err, http.ErrServerClosed) {
		a.t.Errorf("Serve returned %v", err)
	}
	a.wait.Wait()
}

// release lets all requests for /hold/ end.
func (a *app) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.held)
	a.held = make(chan struct{})
}

// ask sends a request on a connection of its own, and returns the status. Path is sent as it is.
func (a *app) ask(method, path string) int {
	status, err := a.request(context.Background(), method, path)
	if err != nil {
		a.t.Errorf("%s %s: %v", method, path, err)
	}
	return status
}

func (a *app) request(ctx context.Context, method, path string) (int, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", a.addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", method, path); err != nil {
		return 0, err
	}
	b, err := io.ReadAll(c)
	var version string
	var status int
	if _, e := fmt.Sscan(string(b), &version, &status); e != nil {
		return 0, errors.Join(e, err)
	}
	return status, nil
}

// begin sends a request and does not wait for the response.
func (a *app) begin(method, path string) {
	ctx, cancel := context.WithCancel(context.Background())
	a.mu.Lock()
	a.cancels = append(a.cancels, cancel)
	a.mu.Unlock()
	a.wait.Go(func() { a.request(ctx, method, path) })
}

// hold makes n requests that last until release, and waits until handlers have m in all.
func (a *app) hold(n, m int, path string) {
	a.t.Helper()
	for range n {
		a.begin("GET", path)
	}
	eventually(a.t, "handlers hold the requests", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.holding == m
	})
}

// quiet returns a logger that discards everything.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// get asks h, and checks the headers that every response must have.
func get(t *testing.T, h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%s has the headers %v", target, w.Header())
	}
	return w
}

// fresh returns the present report of p, as JSON says it.
func fresh(t *testing.T, p *Page) (r report) {
	t.Helper()
	p.mu.Lock()
	p.latest = nil
	p.mu.Unlock()
	w := get(t, p, "/?format=json")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("the response is %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatalf("%v in\n%s", err, w.Body)
	}
	return r
}
