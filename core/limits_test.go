package recycling_test

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// refused expects a 503 response with Retry-After, and then the end of the connection.
func (c *client) refused() {
	c.t.Helper()
	res, _ := c.response()
	if res.StatusCode != http.StatusServiceUnavailable || !res.Close || res.Header.Get("Retry-After") == "" || res.Header.Get("Date") == "" {
		c.t.Errorf("answered with %v", res)
	}
	c.ended()
}

func TestMaxRequestsPerConn(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		const limit = 20
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxRequestsPerConn: limit}}, hello)
		counts := map[int]bool{}
		for range 40 {
			c := s.dial(t)
			n := 0
			for {
				n++
				c.send(get)
				if res, _ := c.response(); res.Close {
					break
				}
			}
			c.ended()
			if n < limit-limit/10 || n > limit {
				t.Errorf("%d requests were answered, want up to %d", n, limit)
			}
			counts[n] = true
		}
		if len(counts) < 2 {
			t.Errorf("all connections got the same number of requests: %v", counts)
		}
		s.await(t, "the end", func(st recycling.Stats) bool { return st.Open == 0 && st.Retired == 40 })
	})
}

func TestMaxRequestsPerConnInAPipeline(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxRequestsPerConn: 3}}, hello)
		c := s.dial(t)
		c.send("%s", strings.Repeat(get, 10))
		for i := range 3 {
			if res, _ := c.response(); res.Close != (i == 2) {
				t.Errorf("answer %d has close %v", i+1, res.Close)
			}
		}
		c.ended()
	})
}

func TestMaxConnAge(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxConnAge: 100 * time.Millisecond}}, hello)
		begin := time.Now()
		c := s.dial(t)
		for {
			c.send(get)
			if res, _ := c.response(); res.Close {
				break
			}
			if time.Since(begin) > patience/2 {
				t.Fatal("it gets older and older")
			}
		}
		c.ended()
		if age := time.Since(begin); age < 90*time.Millisecond {
			t.Errorf("it was closed after %v", age)
		}
	})
}

func TestStatsSayWhichLimitsThereAre(t *testing.T) {
	parallel(t)
	st := serveOne(t, &recycling.Server{
		HTTP: answering(), Strategy: recycling.Recycling,
		Limits: recycling.Limits{MaxWorkers: 7, MaxQueue: -1, QueueWait: time.Second, MaxConns: 100, MaxConnsPerIP: 50, MaxRequestsPerConn: 1000, MaxConnAge: time.Hour, BodyTimeout: time.Minute, AnswerTimeout: time.Hour}, Standby: 3,
	})
	want := recycling.Limits{
		MaxWorkers: 7, MaxQueue: -1, QueueWait: time.Second, MaxConns: 100, MaxConnsPerIP: 50,
		MaxRequestsPerConn: 1000, MaxConnAge: time.Hour, BodyTimeout: time.Minute, AnswerTimeout: time.Hour,
	}
	if st.Limits != want {
		t.Errorf("limits are %+v, want %+v", st.Limits, want)
	}
	for _, off := range []int{-1, math.MinInt} {
		d := time.Duration(off)
		none := recycling.Limits{
			MaxWorkers: off, MaxQueue: off, QueueWait: d, MaxConns: off, MaxConnsPerIP: off,
			MaxRequestsPerConn: off, MaxConnAge: d, BodyTimeout: d, AnswerTimeout: d,
		}
		want = recycling.Limits{
			MaxWorkers: -1, MaxQueue: -1, QueueWait: -1, MaxConns: -1, MaxConnsPerIP: -1,
			MaxRequestsPerConn: -1, MaxConnAge: -1, BodyTimeout: -1, AnswerTimeout: -1,
		}
		for _, strategy := range []recycling.Strategy{recycling.Recycling, recycling.Fixed} {
			st := serveOne(t, &recycling.Server{HTTP: answering(), Strategy: strategy, Standby: off, Limits: none})
			if st.Limits != want {
				t.Errorf("%s: limits are %+v, want %+v", strategy, st.Limits, want)
			}
		}
	}
}

func TestEmptyLinesCountAsHeader(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: &http.Server{MaxHeaderBytes: 1000}}, hello)
		c := s.dial(t)
		for range 3 {
			c.send("%s", strings.Repeat("\r\n", 2000)+get) // the limit is for each request
			c.response()
		}
		c.send("%s", strings.Repeat("\r\n", 3000))
		if res, _ := c.response(); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("answered with %v", res.Status)
		}
	})
}
