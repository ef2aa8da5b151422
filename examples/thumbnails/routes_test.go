package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// sendPart sends a part of an upload. It returns functions that read the response and end the
// upload.
func sendPart(t *testing.T, addr string) (resp func() *http.Response, end func()) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(nc, "POST /thumbnail HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n%s", hugePNG(10, 10)[:10])
	resp = func() *http.Response {
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	return resp, func() { nc.Close() }
}

// serveUploads serves a under a strategy, and returns the address. Uploads are only read.
func serveUploads(t *testing.T, a *app, strategy recycling.Strategy) string {
	t.Helper()
	h := a.limit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.upload(w, r) }))
	s := recycling.New(h, func(s *recycling.Server) { s.Strategy = strategy })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return l.Addr().String()
}

var strategies = []recycling.Strategy{recycling.Goroutine, recycling.Recycling, recycling.Fixed}

func TestSlowUploadEnds(t *testing.T) {
	for _, strategy := range strategies {
		a := &app{uploads: make(chan struct{}, 1), uploadTime: 50 * time.Millisecond}
		resp, _ := sendPart(t, serveUploads(t, a, strategy))
		if got := resp().StatusCode; got != http.StatusRequestTimeout {
			t.Errorf("%s: the status is %d, want 408", strategy, got)
		}
		eventually(t, "room for another upload", func() bool { return len(a.uploads) == 0 })
	}
}

func TestUploadsAreBounded(t *testing.T) {
	for _, strategy := range strategies {
		a := &app{uploads: make(chan struct{}, 2), uploadTime: time.Minute}
		addr := serveUploads(t, a, strategy)
		_, endFirst := sendPart(t, addr)
		_, endSecond := sendPart(t, addr)
		eventually(t, "two uploads", func() bool { return len(a.uploads) == 2 })
		resp, _ := sendPart(t, addr)
		if got := resp(); got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: the third gets %s with Retry-After %q, want 503 with 1", strategy, got.Status, got.Header.Get("Retry-After"))
		}
		endFirst()
		endSecond()
		eventually(t, "room for more uploads", func() bool { return len(a.uploads) == 0 })
	}
}

func TestRequestsOfOtherSitesAreRefused(t *testing.T) {
	h := routes(config{place: inProcess}, &workplace{})
	r := httptest.NewRequest("POST", "http://localhost/thumbnail", nil)
	r.Header.Set("Origin", "https://elsewhere.example")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("the status is %d, want 403", w.Code)
	}
	for _, path := range []string{"/", "/page.css", "/page.js"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != http.StatusOK || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: the status is %d, with %v", path, w.Code, w.Header())
		}
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/thumbnail/later", http.NoBody))
	if body, _ := io.ReadAll(w.Body); w.Code != http.StatusNotFound || len(body) < 20 {
		t.Errorf("without NATS, later is %d %q, want 404 and why", w.Code, body)
	}
}
