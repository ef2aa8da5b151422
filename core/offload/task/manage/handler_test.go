package manage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/offload"
	"github.com/recycling-go/recycling/core/offload/task"
	"github.com/recycling-go/recycling/core/offload/task/manage"
)

// A place records what it is asked to do.
type place struct {
	groups []task.Group
	err    error
	asked  []string
	ctx    context.Context // of Restart
}

func (p *place) Groups(context.Context) ([]task.Group, error) { return p.groups, p.err }

func (p *place) Resize(_ context.Context, group string, by int) (int, error) {
	p.asked = append(p.asked, fmt.Sprint(group, " ", by))
	return 10 + by, p.err
}

func (p *place) Restart(ctx context.Context, group string) error {
	p.ctx = ctx
	p.asked = append(p.asked, fmt.Sprint(group, " restart"))
	return p.err
}

func send(t *testing.T, h http.Handler, r *http.Request) (int, manage.Reply) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var reply manage.Reply
	if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v, %q, headers %v", err, w.Body, w.Header())
	}
	return w.Code, reply
}

// post returns a POST with a form such as "action=add&group=g".
func post(form string) *http.Request {
	r := httptest.NewRequest("POST", "/tasks", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func TestGetListsGroups(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := &place{groups: []task.Group{
		{Name: "a", Tasks: []string{"x", "y"}, Workers: 1, Running: 2, Queued: 3, Restarts: 4, Oldest: at, Memory: 5},
		{Name: "b"},
	}}
	w := httptest.NewRecorder()
	manage.Handler(p).ServeHTTP(w, httptest.NewRequest("GET", "/tasks", nil))
	want := `{"groups":[{"name":"a","tasks":["x","y"],"workers":1,"running":2,"queued":3,"restarts":4,"oldest":"2026-01-02T03:04:05Z","memory":5},` +
		`{"name":"b","tasks":null,"workers":0,"running":0,"queued":0,"restarts":0}]}`
	if got := strings.Join(strings.Fields(w.Body.String()), ""); w.Code != 200 || got != want {
		t.Errorf("%d %s\nwant %s", w.Code, got, want)
	}
	p.err = errors.New("the others are unreachable")
	if status, reply := send(t, manage.Handler(p), httptest.NewRequest("GET", "/tasks", nil)); status != 502 || len(reply.Groups) != 2 || reply.Error != p.err.Error() {
		t.Errorf("%d %+v", status, reply)
	}
	p.groups = nil
	if status, reply := send(t, manage.Handler(p), httptest.NewRequest("GET", "/tasks", nil)); status != 502 || reply.Error == "" {
		t.Errorf("%d %+v", status, reply)
	}
}

func TestPostChangesAGroup(t *testing.T) {
	for form, want := range map[string]struct {
		asked   string
		workers int
	}{
		"action=add&group=g":         {"g 1", 11},
		"action=add&group=g&n=3":     {"g 3", 13},
		"action=remove&group=g":      {"g -1", 9},
		"action=remove&group=g&n=05": {"g -5", 5},
		"action=restart&group=g%20h": {"g h restart", 0},
	} {
		p := &place{}
		status, reply := send(t, manage.Handler(p), post(form))
		if status != 200 || reply.Workers != want.workers || reply.Error != "" || len(p.asked) != 1 || p.asked[0] != want.asked {
			t.Errorf("%s: %d %+v, asked %q", form, status, reply, p.asked)
		}
	}
}

func TestWrongRequestsChangeNothing(t *testing.T) {
	get := func(url string) *http.Request { return httptest.NewRequest("GET", url, nil) }
	for _, test := range []struct {
		r      *http.Request
		status int
		want   string
	}{
		{post(""), 400, `action is ""`},
		{post("action=kill&group=g"), 400, `action is "kill"`},
		{post("action=add"), 400, "group is empty"},
		{post("action=add&group=g&n=0"), 400, `n is "0"`},
		{post("action=remove&group=g&n=-9223372036854775808"), 400, "n is"},
		{post("action=remove&group=g&n=99999999999999999999"), 400, "n is"},
		{post("action=add&group=g&n=1e3"), 400, "n is"},
		{post("action=remove&group=g&n="), 400, "n is"},
		{post("action=restart&group=g&n=1"), 400, "restart has no n"},
		{post("action=add&action=remove&group=g"), 400, "action appears 2 times"},
		{post("action=remove&group=g&group=h"), 400, "group appears 2 times"},
		{post("action=add&group=g&n=1&n=2&n=3"), 400, "n appears 3 times"},
		{post("action=add&group=%zz"), 400, "cannot be read"},
		{post("action=add&group=" + strings.Repeat("g", 5000)), 400, "too large"},
		{httptest.NewRequest("POST", "/tasks?action=add&group=g", nil), 400, `action is ""`},
		{get("/tasks?action=add&group=g"), 200, ""},
		{httptest.NewRequest("PUT", "/tasks", strings.NewReader("action=add&group=g")), 405, "only GET"},
		{httptest.NewRequest("DELETE", "/tasks", nil), 405, "only GET"},
	} {
		p := &place{}
		status, reply := send(t, manage.Handler(p), test.r)
		if status != test.status || !strings.Contains(reply.Error, test.want) || len(p.asked) > 0 {
			t.Errorf("%s %s: %d %+v, asked %q, want %d and %q", test.r.Method, test.r.URL, status, reply, p.asked, test.status, test.want)
		}
	}
}

func TestStatusOfErrors(t *testing.T) {
	for err, want := range map[error]int{
		fmt.Errorf("%w: x", task.ErrGroup):            404,
		fmt.Errorf("%w: x", task.ErrWorkers):          409,
		fmt.Errorf("x: %w", errors.ErrUnsupported):    501,
		&offload.ShedError{Reason: offload.ErrClosed}: 503,
		fmt.Errorf("x: %w", context.DeadlineExceeded): 504,
		errors.New("no such model"):                   500,
	} {
		for _, form := range []string{"action=add&group=g", "action=restart&group=g"} {
			if status, reply := send(t, manage.Handler(&place{err: err}), post(form)); status != want || reply.Error != err.Error() || reply.Workers != 0 {
				t.Errorf("%v: %d %+v", err, status, reply)
			}
		}
	}
}

func TestOtherWebSitesAreRefused(t *testing.T) {
	loopback := &net.TCPAddr{IP: net.IPv6loopback, Port: 9091}
	for _, test := range []struct {
		name, host string
		header     [2]string
		local      net.Addr
		refused    bool
	}{
		{"a program", "10.1.2.3:9091", [2]string{}, nil, false},
		{"a page of this origin", "10.1.2.3:9091", [2]string{"Origin", "http://10.1.2.3:9091"}, nil, false},
		{"a page of this origin", "10.1.2.3:9091", [2]string{"Sec-Fetch-Site", "same-origin"}, nil, false},
		{"a page elsewhere", "10.1.2.3:9091", [2]string{"Sec-Fetch-Site", "cross-site"}, nil, true},
		{"a page elsewhere", "10.1.2.3:9091", [2]string{"Sec-Fetch-Site", "same-site"}, nil, true},
		{"an old browser", "10.1.2.3:9091", [2]string{"Origin", "https://example.org"}, nil, true},
		{"a sandbox", "10.1.2.3:9091", [2]string{"Origin", "null"}, nil, true},
		{"localhost", "localhost:9091", [2]string{}, loopback, false},
		{"LOCALHOST", "LOCALHOST", [2]string{}, loopback, false},
		{"an address", "[::1]:9091", [2]string{}, loopback, false},
		{"DNS rebinding", "evil.example:9091", [2]string{"Sec-Fetch-Site", "same-origin"}, loopback, true},
		{"DNS rebinding", "localhost.evil.example", [2]string{}, loopback, true},
		{"a proxy's name, not on loopback", "tasks.internal", [2]string{}, &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3)}, false},
		{"a Unix socket", "app", [2]string{}, &net.UnixAddr{}, false},
	} {
		p := &place{}
		r := post("action=add&group=g")
		r.Host = test.host
		if test.header[0] != "" {
			r.Header.Set(test.header[0], test.header[1])
		}
		if test.local != nil {
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, test.local))
		}
		status, _ := send(t, manage.Handler(p), r)
		if test.refused != (status == 403) || test.refused != (len(p.asked) == 0) {
			t.Errorf("%s (%s): status %d, asked %q", test.name, test.host, status, p.asked)
		}
	}
}

// A restart may take longer than the timeouts of the server, and ends when the client leaves.
func TestRestartOutlastsTimeouts(t *testing.T) {
	entered, leave := make(chan context.Context, 1), make(chan struct{})
	s := httptest.NewUnstartedServer(manage.Handler(&slow{entered: entered, leave: leave}))
	s.Config.ReadTimeout, s.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	s.Start()
	defer s.Close()
	form := url.Values{"action": {"restart"}, "group": {"g"}}
	statuses := make(chan int, 1)
	go func() {
		res, err := http.PostForm(s.URL, form)
		if err != nil {
			t.Error(err)
			statuses <- 0
			return
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		statuses <- res.StatusCode
	}()
	ctx := <-entered
	select {
	case <-ctx.Done():
		t.Error("the context of Restart has ended")
	case <-time.After(300 * time.Millisecond): // long after the timeouts
	}
	leave <- struct{}{}
	if status := <-statuses; status != 200 {
		t.Errorf("status %d", status)
	}

	client, cancel := context.WithCancel(context.Background())
	req, _ := http.NewRequestWithContext(client, "POST", s.URL, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			t.Error("the client was canceled and got a response")
		}
	}()
	ctx = <-entered
	cancel()
	<-gone
	<-ctx.Done()
	leave <- struct{}{}
}

type slow struct {
	place
	entered chan context.Context
	leave   chan struct{}
}

func (s *slow) Restart(ctx context.Context, group string) error {
	s.entered <- ctx
	<-s.leave
	return nil
}

// The handler works with real Pools, over a Unix socket.
func TestPoolsOverASocket(t *testing.T) {
	var tasks task.Set
	task.Register(&tasks, "x", func(context.Context, int) (int, error) { return 0, nil }, task.Options{})
	pools, err := task.NewPools(context.Background(), &tasks, task.PoolConfig{Name: "g", Config: offload.Config{Workers: 2, MaxWorkers: 3}})
	if err != nil {
		t.Fatal(err)
	}
	defer pools.Close()
	path := filepath.Join(t.TempDir(), "tasks.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: manage.Handler(pools)}
	go s.Serve(l)
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", path) }}}
	defer client.CloseIdleConnections()
	for _, want := range []int{200, 409} {
		res, err := client.PostForm("http://app/tasks", url.Values{"action": {"add"}, "group": {"g"}})
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("status %d, want %d", res.StatusCode, want)
		}
	}
	if n := pools.Stats()["g"].Workers; n != 3 {
		t.Errorf("there are %d workers, want 3", n)
	}
}
