// Package apptest sends the examples every request that they handle, and checks that all of them
// send the same responses.
package apptest

import (
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"
)

// questions are the requests that all examples answer in the same way.
var questions = []struct {
	method, path, contentType, body string

	wantStatus int
	wantType   string // the media type, without charset
	wantBody   string // without surrounding white space
	wantTime   time.Duration
}{
	{path: "/yo?name=Dude", wantBody: "Hey Dude!"},
	{path: "/yo", wantBody: "Hey!"},
	{path: "/yo?name=Jos%C3%A9+%25s", wantBody: "Hey José %s!"},
	{path: "/sleep/20", wantBody: "slept 20ms", wantTime: 20 * time.Millisecond},
	{path: "/sleep/soon", wantStatus: 400, wantBody: `ms is "soon", want a number from 0 to 60000`},
	{path: "/work/20", wantBody: "worked 20ms", wantTime: 20 * time.Millisecond},
	{path: "/work/-1", wantStatus: 400, wantBody: `ms is "-1", want a number from 0 to 10000`},
	{path: "/work/10001", wantStatus: 400, wantBody: `ms is "10001", want a number from 0 to 10000`},
	{method: "POST", path: "/echo", contentType: "application/x-yo", body: "Hey Dude!", wantType: "application/x-yo", wantBody: "Hey Dude!"},
	{method: "POST", path: "/echo", wantType: "application/octet-stream"},
	{path: "/events?n=2", wantType: "text/event-stream", wantBody: "data: 1\n\ndata: 2", wantTime: 100 * time.Millisecond},
	{path: "/events?n=0", wantStatus: 400, wantBody: `n is "0", want a number from 1 to 1000`},
	{path: "/download?bytes=3000", wantType: "application/octet-stream", wantBody: strings.Repeat("\x00", 3000)},
	{path: "/download?bytes=0", wantType: "application/octet-stream"},
	{path: "/download?bytes=1G", wantStatus: 400, wantBody: `bytes is "1G", want a number from 0 to 67108864`},
}

// Ask sends every question to the example at base.
func Ask(t *testing.T, base string) {
	for _, q := range questions {
		if q.method == "" {
			q.method = "GET"
		}
		if q.wantStatus == 0 {
			q.wantStatus = 200
		}
		if q.wantType == "" {
			q.wantType = "text/plain"
		}
		t.Run(q.method+q.path, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), q.method, base+q.path, strings.NewReader(q.body))
			if err != nil {
				t.Fatal(err)
			}
			if q.contentType != "" {
				req.Header.Set("Content-Type", q.contentType)
			}
			start := time.Now()
			resp, body := do(t, req)
			if took := time.Since(start); took < q.wantTime {
				t.Errorf("took %v, want %v at least", took, q.wantTime)
			}
			if resp.StatusCode != q.wantStatus {
				t.Errorf("status is %d, want %d", resp.StatusCode, q.wantStatus)
			}
			if got, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); got != q.wantType || err != nil {
				t.Errorf("content type is %q (%v), want %q", got, err, q.wantType)
			}
			if body = strings.TrimSpace(body); body != q.wantBody {
				t.Errorf("body is %.100q, want %.100q", body, q.wantBody)
			}
		})
	}
}

// do returns the response to req and its body. It uses a new connection.
func do(t *testing.T, req *http.Request) (*http.Response, string) {
	tr := new(http.Transport)
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}
