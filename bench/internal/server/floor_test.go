package server

import (
	"strings"
	"testing"
	"time"
)

func TestFloorReplies(t *testing.T) {
	for _, test := range []struct {
		request string
		want    string // the reply's status and body
		sleep   time.Duration
		close   bool
	}{
		{"GET /yo HTTP/1.1\r\nHost: x\r\n\r\n", "200 Hey!", 0, false},
		{"GET /yo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200 Hey!", 0, true},
		{"GET /sleep/12 HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n", "200 slept", 12 * time.Millisecond, true},
		{"GET /sleep/0 HTTP/1.1\r\n\r\n", "200 slept", 0, false},
		{"GET /sleep/65536 HTTP/1.1\r\n\r\n", "404 not found", 0, false},
		{"GET /sleep/-1 HTTP/1.1\r\n\r\n", "404 not found", 0, false},
		{"GET / HTTP/1.1\r\n\r\n", "404 not found", 0, false},
	} {
		r, ok := parse([]byte(test.request))
		text := string(r.text)
		status, body, _ := strings.Cut(test.want, " ")
		if !ok || !strings.HasPrefix(text, "HTTP/1.1 "+status) || !strings.HasSuffix(text, "\r\n\r\n"+body) ||
			r.sleep != test.sleep || r.close != test.close || strings.Contains(text, "Connection: close") != test.close {
			t.Errorf("%q: %v, %q, sleeps %v, closes %v", test.request, ok, text, r.sleep, r.close)
		}
	}
	const get = "GET /yo HTTP/1.1\r\n"
	for _, bad := range []string{"", get, "POST /yo HTTP/1.1\r\n\r\n", get + "\r\n" + get + "\r\n"} {
		if r, ok := parse([]byte(bad)); ok {
			t.Errorf("%q: %q, want none", bad, r.text)
		}
	}
}

func TestFloorClosesWhatIsNotOneRequest(t *testing.T) {
	p := start(t, Spec{Server: "floor"})
	for _, text := range []string{"GET /yo HT", "GET /yo HTTP/1.1\r\n\r\nGET /yo HTTP/1.1\r\n\r\n"} {
		c := dial(t, p)
		c.get(t, "/yo", "")
		c.Write([]byte(text))
		c.wantClosed(t)
	}
}

// A connection that sleeps for a long time was there first, and disconnects again.
func TestFloorWakesInOrderOfTime(t *testing.T) {
	p := start(t, Spec{Server: "floor", Procs: 1})
	long, middle, short := dial(t, p), dial(t, p), dial(t, p)
	for range 2 {
		long.get(t, "/yo", "") // so that the thread notices its end
		long.send(t, "/sleep/60000", "")
		middle.send(t, "/sleep/300", "Connection: close\r\n")
		for range 3 {
			if status, body := short.get(t, "/sleep/1", ""); status != 200 || body != "slept" {
				t.Errorf("%d %q", status, body)
			}
		}
		long.Close()
		if status, body := middle.receive(t); status != 200 || body != "slept" {
			t.Errorf("%d %q", status, body)
		}
		middle.wantClosed(t)
		long, middle = dial(t, p), dial(t, p)
	}
}
