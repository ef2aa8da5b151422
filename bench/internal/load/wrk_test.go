package load

import (
	"testing"
	"time"
)

func TestParseWrk(t *testing.T) {
	const out = `Running 1s test @ http://127.0.0.1:80/yo
  2 threads and 100 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    21.77ms   79.68ms   1.76s    97.88%
  43197 requests in 1.07s, 6.84MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:   4287.66
Transfer/sec:    695.07KB
`
	want := WrkResult{Requests: 43197, Rate: 4287.66, Errors: 15}
	if got, err := parseWrk([]byte(out)); got != want || err != nil {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if _, err := parseWrk([]byte("unable to connect\n")); err == nil {
		t.Error("no error")
	}
}

func TestWrk(t *testing.T) {
	if !HasWrk() {
		t.Skip("wrk is not installed")
	}
	c := count(t, hey)
	got, err := Wrk(t.Context(), c.addr, Request{Path: "/", Close: true}, 2, time.Millisecond)
	if err != nil || got.Requests == 0 || got.Rate <= 0 || got.Errors != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if c.conns.Load() < got.Requests {
		t.Errorf("%d connections for %d requests", c.conns.Load(), got.Requests)
	}
}
