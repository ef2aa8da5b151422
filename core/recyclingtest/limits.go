package recyclingtest

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/recycling-go/recycling/core/internal/gohttp"
)

var limits = []behaviour{
	headerWithinTheLimitIsRead,
	headerBeyondTheLimitIsRefused,
	headerBeyondTheDefaultLimitIsRefused,
	limitIsForEachRequest,
	limitSparesTheBody,
	manyHeaderFieldsAreRead,
}

func headerWithinTheLimitIsRead(t *test) {
	srv := &http.Server{MaxHeaderBytes: 10_000, Handler: http.HandlerFunc(echoTarget)}
	gohttp.SetMaxHeaderValues(srv, 1001)
	c := t.start(srv).dial(t)
	c.send(get("/", "X-Large: "+strings.Repeat("x", 9000)))
	c.wants(200, "/")
	target := "/" + strings.Repeat("x", 9000)
	c.send(get(target))
	c.wants(200, target)
	c.send(get("/", strings.Split(strings.TrimSpace(strings.Repeat("X-A: b\n", 1000)), "\n")...))
	c.wants(200, "/")
}

func headerBeyondTheLimitIsRefused(t *test) {
	var reached atomic.Int64
	s := t.start(&http.Server{
		MaxHeaderBytes: 4096,
		Handler:        http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { reached.Add(1) }),
	})
	for name, raw := range map[string]string{
		"value":       get("/", "X-Large: "+strings.Repeat("x", 20_000)),
		"name":        get("/", strings.Repeat("x", 20_000)+": v"),
		"many fields": get("/", strings.Split(strings.TrimSpace(strings.Repeat("X-A: b\n", 5000)), "\n")...),
		"endless":     "GET / HTTP/1.1\r\nHost: a\r\nX-Large: " + strings.Repeat("x", 20_000),
		"megabytes":   get("/", "X-Large: "+strings.Repeat("x", 3<<20)),
		"with body":   post("/", "body", "X-Large: "+strings.Repeat("x", 20_000)),
	} {
		t.each(name, func(t *test) {
			c := s.dial(t)
			c.sendBeside(raw)
			a := c.answer("GET")
			if want := http.StatusRequestHeaderFieldsTooLarge; a.StatusCode != want || !a.Close || a.Proto != "HTTP/1.1" {
				t.Errorf("%s %s, Connection: close %v; want %d", a.Proto, a.Status, a.Close, want)
			}
			c.ends()
		})
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests reached the handler", n)
	}
}

func headerBeyondTheDefaultLimitIsRefused(t *test) {
	s := t.serve(echoTarget)
	c := s.dial(t)
	c.sendBeside(get("/", "X-Large: "+strings.Repeat("x", 1_000_000)))
	c.wants(200, "/")
	c.sendBeside(get("/", "X-Large: "+strings.Repeat("x", 1_100_000)))
	if a := c.answer("GET"); a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status is %s", a.Status)
	}
	c.ends()
}

func limitIsForEachRequest(t *test) {
	c := t.start(&http.Server{MaxHeaderBytes: 10_000, Handler: http.HandlerFunc(echoTarget)}).dial(t)
	raw := get("/", "X-Large: "+strings.Repeat("x", 9000))
	c.sendBeside(strings.Repeat(raw, 10))
	for range 10 {
		c.wants(200, "/")
	}
}

func limitSparesTheBody(t *test) {
	c := t.start(&http.Server{MaxHeaderBytes: 1000, Handler: http.HandlerFunc(echoBody)}).dial(t)
	body := pattern(1 << 20)
	for _, raw := range []string{post("/", body), chunkedBy(1000, body)} {
		c.sendBeside(raw)
		c.wants(200, "/ "+body+" <nil>")
	}
}

func manyHeaderFieldsAreRead(t *test) {
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, len(r.Header)) })}
	gohttp.SetMaxHeaderValues(srv, 10_001)
	c := t.start(srv).dial(t)
	var lines []string
	for i := range 10_000 {
		lines = append(lines, fmt.Sprintf("X-%d: %d", i, i))
	}
	c.sendBeside(get("/", lines...))
	c.wants(200, "10000")
}
