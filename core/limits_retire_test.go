package recycling_test

import (
	"strings"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

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
