package status

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

// Screenshots of the test go to this folder, if it is set.
const screenshots = "STATUS_SCREENSHOTS"

// A browser is a Chromium that is told what to do through a pipe, by its DevTools protocol.
type browser struct {
	t       *testing.T
	in      *os.File
	out     *bufio.Reader
	last    int
	session string
	errors  []string // of the page, as its console shows them
}

// startBrowser skips the test if there is no Chromium.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && exec.Command(path, "--version").Run() == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("there is no chromium, chromium-browser or google-chrome that runs here: what a browser shows is not tested")
	}
	toRead, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, toWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{toRead, toWrite}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	toRead.Close()
	toWrite.Close()
	b := &browser{t: t, in: in, out: bufio.NewReaderSize(out, 1<<20)}
	t.Cleanup(func() {
		b.session = ""
		b.send("Browser.close", nil)
		cmd.Wait()
		cancel()
		in.Close()
		out.Close()
	})
	var target struct{ TargetId string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct{ SessionId string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetId, "flatten": true}, &session)
	b.session = session.SessionId
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

func (b *browser) send(method string, params any) {
	b.last++
	m := map[string]any{"id": b.last, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	raw, err := json.Marshal(m)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(raw, 0)); err != nil {
		b.t.Errorf("chromium: %s: %v", method, err)
	}
}

// call calls a method and puts its result into result, unless that is nil.
func (b *browser) call(method string, params, result any) {
	b.t.Helper()
	b.send(method, params)
	for {
		raw, err := b.out.ReadBytes(0)
		if err != nil {
			b.t.Fatalf("chromium: %s: %v", method, err)
		}
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(raw[:len(raw)-1], &m); err != nil {
			b.t.Fatal(err)
		}
		switch {
		case m.ID == b.last && m.Error != nil:
			b.t.Fatalf("chromium: %s: %s", method, m.Error.Message)
		case m.ID == b.last:
			if result != nil {
				if err := json.Unmarshal(m.Result, result); err != nil {
					b.t.Fatal(err)
				}
			}
			return
		case m.Method == "Log.entryAdded", m.Method == "Runtime.consoleAPICalled", m.Method == "Runtime.exceptionThrown":
			b.errors = append(b.errors, string(m.Params))
		}
	}
}

// eval returns the value of a JavaScript expression, or what its promise becomes.
func (b *browser) eval(expression string, result any) {
	b.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r)
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, r.ExceptionDetails)
	}
	if err := json.Unmarshal(r.Result.Value, result); err != nil {
		b.t.Fatalf("%s returns %s: %v", expression, r.Result.Value, err)
	}
}

// open shows a page in a window of that size.
func (b *browser) open(url string, width, height int, scheme string) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.until("the page is there", `document.readyState === 'complete' && location.href.startsWith('http') && !!document.querySelector('main')`)
}

// until waits until a JavaScript expression is true.
func (b *browser) until(what, expression string) {
	b.t.Helper()
	eventually(b.t, what, func() (ok bool) {
		b.eval(expression, &ok)
		return ok
	})
}

// measure is a JavaScript expression: what is wrong with how the page looks, and its text.
const measure = `(() => {
	const light = c => {
		const [r, g, b] = c.match(/[\d.]+/g).slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
	const paper = e => {
		for (; e; e = e.parentElement) {
			const c = getComputedStyle(e).backgroundColor;
			if (!/, 0\)$|transparent/.test(c)) return c;
		}
		return 'rgb(255, 255, 255)';
	};
	const root = document.documentElement, wrong = [];
	if (root.scrollWidth > root.clientWidth) wrong.push('the page scrolls sideways: ' + root.scrollWidth + ' > ' + root.clientWidth);
	for (const e of document.querySelectorAll('body *')) {
		if (e.closest('.hidden, script, svg') || !e.checkVisibility() || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
		const box = e.getBoundingClientRect(), ratio = contrast(getComputedStyle(e).color, paper(e));
		if (box.left < 0 || box.right > root.clientWidth + 0.5) wrong.push('outside: ' + e.textContent);
		if (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline') wrong.push('too wide for its box: ' + e.textContent);
		if (ratio < 4.5) wrong.push('contrast ' + ratio.toFixed(1) + ': ' + e.textContent);
	}
	let level = 0;
	for (const h of document.querySelectorAll('h1, h2, h3')) {
		if (+h.tagName[1] > level + 1) wrong.push('a level of headings is left out before ' + h.textContent);
		level = +h.tagName[1];
	}
	return {wrong, text: document.body.innerText};
})()`

// look opens a page in windows of several sizes, light and dark, and checks how it looks, and that
// it has some texts.
func (b *browser) look(url, name string, want ...string) {
	b.t.Helper()
	for _, size := range []struct{ width, height int }{{1280, 900}, {390, 844}, {360, 740}} {
		for _, scheme := range []string{"light", "dark"} {
			b.open(url, size.width, size.height, scheme)
			var seen struct {
				Wrong []string
				Text  string
			}
			b.eval(measure, &seen)
			for _, w := range seen.Wrong {
				b.t.Errorf("%s, %d pixels wide, %s: %s", name, size.width, scheme, w)
			}
			text := strings.Join(strings.Fields(seen.Text), " ")
			for _, w := range want {
				if !strings.Contains(text, w) {
					b.t.Errorf("%s, %d pixels wide: there is no %q in\n%s", name, size.width, w, seen.Text)
				}
			}
			if dir := os.Getenv(screenshots); dir != "" && size.width != 360 {
				b.screenshot(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, size.width, scheme)))
			}
		}
	}
}

// TestBrowserShowsLargeFigures is about a page with the widest texts that are to be expected.
func TestBrowserShowsLargeFigures(t *testing.T) {
	b := startBrowser(t)
	const many = 123_456
	s := serverReport{Name: "a server with a rather long name", State: serving, Level: bad, InFlight: many, period: period{Window: window}, Unobserved: true,
		Stats: recycling.Stats{Version: "v12.34.56", Strategy: recycling.Recycling, Workers: many, Standby: many, Busy: many, Open: many, Parked: many, Queued: many, Handshakes: many, Held: many, Retired: many,
			Limits: recycling.Limits{MaxWorkers: many, MaxQueue: many, MaxConns: many, MaxConnsPerIP: many, MaxRequestsPerConn: many, MaxConnAge: 47 * time.Hour}},
		Requests: recent{many, many, many}, Durations: quantiles{many, 47 * time.Hour, 59 * time.Minute}, QueueDelay: quantiles{many, 999 * time.Microsecond, 59 * time.Minute},
	}
	totals := map[observe.Reason]uint64{}
	for _, r := range reasons {
		totals[r] = many
	}
	last := &sample{refused: totals, evicted: totals}
	s.Refused, s.Evicted = s.refusals(totals, nil, refusedAdvice), s.refusals(totals, nil, evictedAdvice)
	s.Limits = limitsOf(&s, last)
	s.judge(nil)
	for i := range maxRoutes + 5 {
		s.Routes = append(s.Routes, routeReport{Method: "OPTIONS", Route: strings.Repeat("/{with_a_long_name}", 1+i%4), recent: recent{many, many, many},
			quantiles: quantiles{many, 59 * time.Minute, 47 * time.Hour}, ClientErrors: many, ServerErrors: many})
	}
	for range maxActive {
		s.Active = append(s.Active, active{"OPTIONS", printable("/" + strings.Repeat("x", 300)), "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535", 47 * time.Hour})
	}
	r := newReport(observe.Now(), nil)
	r.Process.Host, r.Build.Revision, r.Build.Modified = "a-very-long-name-of-a-pod-6d4cf56db6-x2x9z.example.org", strings.Repeat("0123456789", 4), true
	r.Servers = []serverReport{s, s}
	long := tasksReport{period: period{Window: window}, Places: []placeReport{{"a place with a rather long name", many, many, many}},
		Backlogs: []backlogReport{{"a place with a rather long name", "with_a_long_name", many, 47 * time.Hour, many}}}
	for i := range 5 {
		long.Tasks = append(long.Tasks, taskReport{Place: "a place with a rather long name", Task: strings.Repeat("with_a_long_name", 1+i), recent: recent{many, many, many},
			Queue: quantiles{many, 47 * time.Hour, 59 * time.Minute}, Running: quantiles{many, 47 * time.Hour, 59 * time.Minute}, Shed: many, Failed: many, Lost: many})
	}
	r.Tasks = []tasksReport{long, {period: period{Window: window}}}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := r.html([]mount{{"/debug/pprof/", "Profiles", nil}, {"/debug/statsviz/", "Go runtime", nil}})
		if err != nil {
			t.Error(err)
		}
		w.Write(body)
	}))
	defer h.Close()
	b.look(h.URL, "large", "123,456", "5 routes with fewer requests", "Profiles", "has replaced Server.Observer", "What to do:", "No call of a task")
}

func TestBrowserShowsEverything(t *testing.T) {
	b := startBrowser(t)
	p := &Page{Log: quiet()}
	a := startApp(t, p.Server("shop"), func(s *recycling.Server) {
		s.MaxWorkers, s.MaxQueue, s.MaxConns = 4, 3, 20
	})
	url := serveOn(t, p)

	b.look(url, "idle", "shop: serving", "no limit is near", "No request has ended yet")

	a.hold(2, 2, "/hold/"+strings.Repeat("a-long-path/", 8))
	for i := range 20 {
		a.ask("GET", fmt.Sprint("/users/", i))
	}
	a.ask("POST", "/orders")
	eventually(t, "the other workers are idle", func() bool { return a.server.Stats().Busy == 2 })
	fresh(t, p) // the last report is used again for a moment
	b.look(url, "busy", "2 busy", "GET /users/{id}", "POST /orders", "/hold/a-long-path", "127.0.0.1")

	// The open page takes over what changes, and says so when there is no answer.
	before := len(b.errors)
	a.hold(2, 4, "/hold/more")
	for range 3 {
		a.begin("GET", "/users/1")
	}
	eventually(t, "connections wait", func() bool { return a.server.Stats().Queued == 3 })
	for range 3 {
		if status := a.ask("GET", "/users/1"); status != http.StatusServiceUnavailable {
			t.Fatalf("the status is %d when the queue is full", status)
		}
	}
	b.until("the page shows the overload", `document.querySelector('.headline').className === 'headline bad' && document.querySelector('.trouble').innerText.includes('MaxQueue, refused')`)
	b.look(url, "overloaded", "It refuses connections: MaxQueue.", "What to do:", "4 busy", "3 queued")

	done := make(chan error, 1)
	go func() { done <- a.server.Shutdown(context.Background()) }()
	b.until("the page shows that it drains", `document.querySelector('h2').innerText === 'shop: draining'`)
	b.look(url, "draining", "shop: draining", "It has been told to stop. ")
	a.release()
	if err := <-done; err != nil {
		t.Error(err)
	}

	if len(b.errors) > 0 {
		t.Errorf("the console shows %d errors, %d of them at first:\n%s", len(b.errors), before, strings.Join(b.errors, "\n"))
	}
	p.Close()
	b.until("the page says that there is no answer", `document.getElementById('live').innerText.startsWith('No answer')`)
}

func (b *browser) screenshot(name string) {
	b.t.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true, "format": "png"}, &shot)
	raw, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(name, raw, 0o644)
	}
	if err != nil {
		b.t.Error(err)
	}
}

// serveOn serves p on an address of its own until the test ends, and returns its URL.
func serveOn(t *testing.T, p *Page) string {
	t.Helper()
	l, err := p.listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.serve(l) }()
	t.Cleanup(func() {
		p.Close()
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("the page ended with %v", err)
		}
	})
	return "http://" + l.Addr().(*net.TCPAddr).String() + "/"
}
