package status

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// A logBuffer keeps what is logged.
type logBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// client opens a connection for each request.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// fetch returns the status and the body of a page.
func fetch(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// on is On with a Page that is closed when the test ends, and with its log.
func on(t *testing.T, addr string) (recycling.Option, *logBuffer) {
	log := new(logBuffer)
	return On(addr, func(p *Page) {
		p.Log = slog.New(slog.NewTextHandler(log, nil))
		t.Cleanup(func() { p.Close() })
	}), log
}

var urlLogged = regexp.MustCompile(`url=(http://\S+)`)

// urlIn waits until the log says where the page is.
func urlIn(t *testing.T, log *logBuffer) (url string) {
	t.Helper()
	eventually(t, "the page is served", func() bool {
		if m := urlLogged.FindStringSubmatch(log.String()); m != nil {
			url = m[1]
		}
		return url != ""
	})
	return url
}

// TestPageIsReachedUnderOverload is the reason for an address of its own.
func TestPageIsReachedUnderOverload(t *testing.T) {
	t.Parallel()
	option, log := on(t, ":0")
	a := startApp(t, func(s *recycling.Server) {
		s.MaxWorkers, s.MaxQueue, s.MaxConns = 2, 2, 4
	}, option)
	url := urlIn(t, log)
	a.hold(2, 2, "/hold/x")
	a.begin("GET", "/users/1")
	a.begin("GET", "/users/2")
	eventually(t, "the queue is full", func() bool { return a.server.Stats().Queued == 2 })
	for range 3 * maxConns { // more than may be open at a time
		a.begin("GET", "/users/3")
	}
	eventually(t, "accepting pauses", func() bool { return a.server.Stats().Held > 0 })
	c := client(t)
	for range maxConns + 3 { // connections are given back
		status, text := fetch(t, c, url+"/?format=text")
		if status != 200 || !strings.Contains(text, "All workers are busy") && !strings.Contains(text, "refuses connections") {
			t.Fatalf("the status is %d:\n%s", status, text)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	url := strings.TrimSuffix(strings.TrimPrefix(serveOn(t, &Page{Log: quiet()}), "http://"), "/")
	var idle []net.Conn
	defer func() {
		for _, c := range idle {
			c.Close()
		}
	}()
	for range maxConns {
		c, err := net.Dial("tcp", url)
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, c)
	}
	got := make(chan error, 1)
	go func() {
		res, err := client(t).Get("http://" + url)
		if err == nil {
			res.Body.Close()
		}
		got <- err
	}()
	select {
	case err := <-got:
		t.Fatalf("another connection was served: %v", err)
	case <-time.After(50 * time.Millisecond): // as long as one likes: it is to wait
	}
	idle[0].Close()
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	p := &Page{Log: quiet()}
	for addr, want := range map[string]string{
		"6060":            `address "6060"`,
		"":                `address ""`,
		"localhost:":      `address "localhost:" has no port`,
		":":               `address ":" has no port`,
		":port-of-nobody": "port-of-nobody",
		":99999":          "99999",
	} {
		if err := p.ListenAndServe(addr); err == nil || !strings.HasPrefix(err.Error(), "status: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("ListenAndServe(%q) returns %v", addr, err)
		}
	}
	l, err := p.listen(":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !isLoopback(l.Addr()) {
		t.Errorf("without a host, it listens on %v", l.Addr())
	}
	p.Close()
	if err := p.ListenAndServe(":0"); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("after Close, ListenAndServe returns %v", err)
	}
}

func TestOnReportsAnAddressThatIsWrong(t *testing.T) {
	t.Parallel()
	option, log := on(t, "6060")
	a := startApp(t, option)
	if status := a.ask("GET", "/users/1"); status != 200 {
		t.Errorf("the server responds with %d", status)
	}
	eventually(t, "the error is logged", func() bool {
		return strings.Contains(log.String(), `there is no status page" addr=6060`)
	})
}

func TestOnWaitsForItsAddress(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	option, log := on(t, l.Addr().String())
	option(new(recycling.Server))
	eventually(t, "it is said", func() bool { return strings.Contains(log.String(), "another process uses the address") })
	l.Close()
	if status, _ := fetch(t, client(t), urlIn(t, log)); status != 200 {
		t.Errorf("the status is %d", status)
	}
}

func TestCloseEndsTheWait(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := &Page{Log: quiet()}
	p.start(l.Addr().String())
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	p.start(l.Addr().String()) // does nothing
	if p.own.started != 0 {
		t.Error("Close did not wait")
	}
}

// TestPageIsNotForWebSites has a name that a web site may have lead to the loopback address.
func TestPageIsNotForWebSites(t *testing.T) {
	t.Parallel()
	h, open := new(Page).handler(true), new(Page).handler(false)
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:6060": 200, "127.0.0.1:6060": 200, "[::1]:6060": 200, "10.0.0.1": 200, "": 200,
		"evil.example": 403, "evil.example:6060": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example:6060": 403, "[localhost": 200,
	} {
		r, err := http.NewRequest("GET", "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		for i, handler := range []http.Handler{h, open} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if want := []int{want, 200}[i]; w.Code != want {
				t.Errorf("Host %q gets %d, want %d", host, w.Code, want)
			}
		}
	}
}

func TestOtherHandlers(t *testing.T) {
	t.Parallel()
	p := &Page{Log: quiet()}
	p.Handle("/debug/pprof/", `Profiles <b>`, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "at "+r.URL.Path)
	}))
	url := serveOn(t, p)
	c := client(t)
	if status, body := fetch(t, c, url+"debug/pprof/heap"); status != 200 || body != "at /debug/pprof/heap" {
		t.Errorf("got %d, %q", status, body)
	}
	if _, body := fetch(t, c, url); !strings.Contains(body, `<a href="/debug/pprof/">Profiles &lt;b&gt;</a>`) {
		t.Errorf("there is no link in\n%s", body)
	}
	if status, _ := fetch(t, c, url+"elsewhere"); status != 404 {
		t.Errorf("another path has the status %d", status)
	}
	if body := get(t, p, "/admin/status").Body.String(); strings.Contains(body, "Profiles") {
		t.Error("there is a link where the handler is not served")
	}
	for _, call := range []struct {
		path, title string
		h           http.Handler
	}{{"/", "x", c404}, {"", "x", c404}, {"a", "x", c404}, {"/a b", "x", c404}, {"/{a}", "x", c404}, {"/a", "", c404}, {"/a", "x", nil}, {"/debug/pprof/", "x", c404}} {
		func() {
			defer func() {
				if v := recover(); v == nil {
					t.Errorf("Handle(%q, %q, %v) does not panic", call.path, call.title, call.h)
				}
			}()
			p.Handle(call.path, call.title, call.h)
		}()
	}
}

var c404 = http.NotFoundHandler()

func TestPageMayBeUsedConcurrently(t *testing.T) {
	t.Parallel()
	p := &Page{Log: quiet()}
	a := startApp(t, p.Server("api"))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 20 {
				switch (i + k) % 4 {
				case 0:
					a.ask("GET", "/users/1")
				case 1:
					get(t, p, "/?format=json")
				case 2:
					get(t, p, "/?format=html")
				default:
					p.mu.Lock()
					p.latest = nil
					p.mu.Unlock()
					get(t, p, "/?format=text")
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "all requests are shown", func() bool { return fresh(t, p).Servers[0].Requests.Total == 40 })
}
