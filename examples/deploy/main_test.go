package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// parsed parses the arguments of the command as a file has them.
func parsed(t *testing.T, args ...string) config {
	t.Helper()
	c, err := parse(args)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return c
}

func TestWrongArgumentsAreNamed(t *testing.T) {
	for _, tt := range []struct{ arg, want string }{
		{"-proxies=10.0.0.0", "10.0.0.0"},
		{"-proxies=10.0.0.0/8,", `""`},
		{"-lame-duck=-1s", "-lame-duck"},
		{"-drain-timeout=0s", "-drain-timeout"},
		{"serve", `"serve"`},
	} {
		if _, err := parse([]string{tt.arg}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %s", tt.arg, err, tt.want)
		}
	}
}

func TestRoutes(t *testing.T) {
	a := start(t)
	for path, want := range map[string]string{
		"/yo?name=Dude":  "Hey Dude!",
		"/yo":            "Hey you!",
		"/ip":            "127.0.0.1",
		"/sleep/1":       "slept 1ms",
		"/healthz":       "works",
		"/healthz?ready": "ready",
	} {
		if status, body := get("http://" + a.addr + path); status != http.StatusOK || body != want {
			t.Errorf("%s: %d, %q, want %q", path, status, body, want)
		}
	}
	if status, body := get("http://" + a.addr + "/sleep/x"); status != http.StatusBadRequest {
		t.Errorf("/sleep/x: %d, %s, want 400", status, body)
	}
	if status, _ := get("http://" + a.addr + "/stats"); status != http.StatusNotFound {
		t.Errorf("/stats on the public address: %d, want 404", status)
	}
	if s := a.stats(t); s.Requests < 6 {
		t.Errorf("stats: %+v, want the requests", s)
	}
	for path, want := range map[string]string{
		"/status?format=text": "/sleep/{ms}",
		"/metrics":            `recycling_request_duration_seconds_count{method="GET",route="/sleep/{ms}",status="2xx"} 1`,
	} {
		if status, body := get("http://" + a.admin + path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, %s, want %s", path, status, body, want)
		}
	}
	if status, _ := get("http://" + a.admin + "/debug/pprof/goroutine?debug=1"); status != http.StatusOK {
		t.Errorf("profile: %d, want 200", status)
	}
}

// A process that drains works, and is not ready. It answers the request that it has.
func TestReadinessEndsBeforeLiveness(t *testing.T) {
	a := start(t, "-lame-duck=2s")
	slow := make(chan string, 1)
	go func() {
		status, body := get("http://" + a.addr + "/sleep/3000")
		slow <- fmt.Sprint(status, " ", body)
	}()
	eventually(t, "the request", func() bool { return a.stats(t).Busy > 0 })
	a.terminate()
	eventually(t, "503", func() bool {
		status, _ := get("http://" + a.addr + "/healthz?ready")
		return status == http.StatusServiceUnavailable
	})
	if status, body := get("http://" + a.addr + "/healthz"); status != http.StatusOK {
		t.Errorf("liveness: %d, %s, want 200", status, body)
	}
	if got := <-slow; got != "200 slept 3s" {
		t.Errorf("the request in flight got %s", got)
	}
	if err := a.stop(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// Only the proxies that are named may say what the address of the client is.
func TestForwardedAddressIsBelievedOfProxies(t *testing.T) {
	for proxies, want := range map[string]string{
		"127.0.0.0/8": "192.0.2.7",
		"10.0.0.0/8":  "127.0.0.1",
	} {
		a := start(t, "-proxies="+proxies)
		req, err := http.NewRequest("GET", "http://"+a.addr+"/ip", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Add("X-Forwarded-For", "203.0.113.9, 192.0.2.7") // the first is the client's own lie
		if got := do(t, http.DefaultClient, req); got != want {
			t.Errorf("-proxies=%s: the client is %s, want %s", proxies, got, want)
		}
	}
}

// A response that never ends by itself does not hold up draining.
func TestEventsEndWhenTheServerDrains(t *testing.T) {
	a := start(t, "-drain-timeout=1h")
	resp, err := http.Get("http://" + a.addr + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, len("data: 1\n\n"))
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "data: 1\n\n" {
		t.Fatalf("%q, %v, want the first event", first, err)
	}
	a.terminate()
	if rest, err := io.ReadAll(resp.Body); err != nil {
		t.Errorf("%q, %v, want a complete response", rest, err)
	}
	if err := a.stop(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
