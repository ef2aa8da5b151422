package status

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/observe"
)

func TestFormats(t *testing.T) {
	t.Parallel()
	p := new(Page)
	for _, c := range []struct{ target, accept, agent, want string }{
		{"/", "text/html,application/xhtml+xml,*/*;q=0.8", "Mozilla/5.0", "text/html; charset=utf-8"},
		{"/", "", "", "text/html; charset=utf-8"},
		{"/", "*/*", "curl/8.5.0", "text/plain; charset=utf-8"},
		{"/", "*/*", "Wget/1.21", "text/plain; charset=utf-8"},
		{"/", "text/plain", "", "text/plain; charset=utf-8"},
		{"/", "application/json", "curl/8.5.0", "application/json"},
		{"/?format=json", "text/html", "Mozilla/5.0", "application/json"},
		{"/?format=text", "text/html", "Mozilla/5.0", "text/plain; charset=utf-8"},
		{"/?format=html", "*/*", "curl/8.5.0", "text/html; charset=utf-8"},
	} {
		w := get(t, p, c.target, "Accept", c.accept, "User-Agent", c.agent)
		if got := w.Header().Get("Content-Type"); w.Code != 200 || got != c.want {
			t.Errorf("%s for %q and %q is %d, %s, want %s", c.target, c.accept, c.agent, w.Code, got, c.want)
		}
	}
	if w := get(t, p, "/?format=<b>"); w.Code != 400 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("an unknown format is answered with %d, %v", w.Code, w.Header())
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST is answered with %d, %v", w.Code, w.Header())
	}
}

// hostile is what a client might send as a path, or an application use as a route.
const hostile = `/hold/<script>alert(1)</script>"'><img src=x onerror=alert(2)>&lt;{{.}}` + "\x1b[31m\u202e\x00\n\xff`${alert(3)}"

// TestHostileText has a client ask for hostile, and looks for it in every format.
func TestHostileText(t *testing.T) {
	t.Parallel()
	p := &Page{Log: quiet()}
	rec := observe.NewRecorder()
	a := startApp(t, func(s *recycling.Server) { s.Observer = rec }, p.Server(`<i>name</i>`))
	rec.RequestEnd(&observe.Request{Method: "GET", Route: hostile, Status: 200, Duration: time.Second})
	a.hold(1, 1, (&url.URL{Path: hostile}).EscapedPath())

	html := get(t, p, "/?format=html").Body.String()
	for _, tag := range []string{"<script>alert", "<img", "<i>", "onerror=alert(2)>"} {
		if strings.Contains(html, tag) {
			t.Errorf("the page has %s", tag)
		}
	}
	if n := strings.Count(html, "&lt;script&gt;alert(1)&lt;/script&gt;"); n != 2 {
		t.Errorf("the page shows the text %d times, want 2:\n%s", n, html)
	}
	for _, format := range []string{"html", "text", "json"} {
		body := get(t, p, "/?format="+format).Body.Bytes()
		if bytes.ContainsAny(body, "\x1b\u202e\x00") || !utf8.Valid(body) {
			t.Errorf("%s has characters that cannot be printed:\n%q", format, body)
		}
	}
	if s := fresh(t, p).Servers[0]; len(s.Active) != 1 || s.Active[0].Path != printable(hostile) || s.Routes[0].Route != printable(hostile) {
		t.Errorf("JSON has %+v and %+v", s.Active, s.Routes)
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                              "",
		"/a/ä/{id}?":                    "/a/ä/{id}?",
		"\x1b\n\x00\u202e\u2028":        `\x1b\n\x00\u202e\u2028`,
		"a\xffb\xe4":                    `a\xffb\xe4`,
		strings.Repeat("a", 200):        strings.Repeat("a", 200),
		strings.Repeat("a", 201):        strings.Repeat("a", 200) + "…",
		strings.Repeat("a", 198) + "€x": strings.Repeat("a", 198) + "…",
		strings.Repeat("\xff", 1000):    strings.Repeat(`\xff`, 200) + "…",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNumbersHaveUnits(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0", -time.Hour: "0", 1: "0.00 µs", 430: "0.43 µs", 1234: "1.23 µs", 999_499: "999 µs", 999_500: "1.00 ms", 12_345_678: "12.3 ms",
		time.Second: "1.00 s", 59 * time.Second: "59.0 s", 100 * time.Second: "1.67 min", time.Hour: "60.0 min", 100 * time.Minute: "1.67 h",
		47 * time.Hour: "47.0 h", 48 * time.Hour: "2.00 d", math.MaxInt64: "106,752 d",
	} {
		if got := duration(d); got != want {
			t.Errorf("duration(%d) = %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
	for f, want := range map[float64]string{0: "0", 0.001: "0.00", 1.234: "1.23", 12.34: "12.3", 99.96: "100", 12345.6: "12,346", math.Inf(1): "2,147,483,647"} {
		if got := rate(f); got != want {
			t.Errorf("rate(%v) = %q, want %q", f, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1023: "1.0 KiB", 1536: "1.5 KiB", 123 << 20: "123 MiB", math.MaxInt64: "8388608 TiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	used := int64(1)
	for _, c := range []struct {
		l    limit
		want string
	}{
		{limit{Limit: 4, Used: &used}, "25 %"}, {limit{Limit: 1, Used: &used}, "100 %"}, {limit{Limit: 1000, Used: &used}, "< 1 %"},
		{limit{Limit: -1, Used: &used}, "–"}, {limit{Limit: 4}, "–"},
	} {
		if got := c.l.Percent(); got != c.want {
			t.Errorf("%+v is used by %q, want %q", c.l, got, c.want)
		}
	}
}

func TestManyRoutes(t *testing.T) {
	t.Parallel()
	p := &Page{Log: quiet()}
	rec := observe.NewRecorder()
	startApp(t, func(s *recycling.Server) { s.Observer = rec }, p.Server(""))
	for i := range 100 {
		for range i {
			rec.RequestEnd(&observe.Request{Method: "GET", Route: fmt.Sprintf("/route/%03d", i), Status: 200, Duration: 1})
		}
	}
	html, text := get(t, p, "/?format=html").Body.String(), get(t, p, "/?format=text").Body.String()
	for _, body := range []string{html, text} {
		if strings.Count(body, "/route/") != maxRoutes || !strings.Contains(body, "/route/099") || strings.Contains(body, "/route/059") || !strings.Contains(body, "59 routes") {
			t.Errorf("the busiest routes are not shown:\n%s", body)
		}
		if strings.Index(body, "/route/070") > strings.Index(body, "/route/080") {
			t.Error("the routes are not in order")
		}
	}
	if n := len(fresh(t, p).Servers[0].Routes); n != 99 {
		t.Errorf("JSON has %d routes, want 99", n)
	}
}

// TestTextShowsTheFigures is about what a person sees with curl.
func TestTextShowsTheFigures(t *testing.T) {
	t.Parallel()
	p := &Page{Log: quiet()}
	a := startApp(t, p.Server("api"), func(s *recycling.Server) { s.MaxWorkers, s.MaxQueue = 1, 1 })
	fresh(t, p)
	a.ask("POST", "/orders")
	a.hold(1, 1, "/hold/x")
	a.begin("GET", "/users/1")
	eventually(t, "a connection waits", func() bool { return a.server.Stats().Queued == 1 })
	if status := a.ask("GET", "/users/2"); status != http.StatusServiceUnavailable {
		t.Errorf("the status is %d when the queue is full", status)
	}
	eventually(t, "it is refused and closed", func() bool {
		s := fresh(t, p).Servers[0]
		return s.Stats.Open == 2 && s.Refused[0].Total == 1
	})
	text := get(t, p, "/?format=text").Body.String()
	for _, want := range []string{
		"api: serving, BAD: It refuses connections: MaxQueue.\n", "workers      1 busy", "2 open", "1 in flight",
		"POST /orders\n", "GET /hold/x\n", "MaxQueue, refused: ", "1 in all\n", "NEAR ITS LIMIT", "process ", "go1.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
}
