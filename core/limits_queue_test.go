package recycling_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

func TestMaxQueueRefusesWhatComesAfterThat(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 2}, Standby: 1}, g.serve)
		idle := s.dial(t)
		idle.get("/")
		busy := s.dial(t)
		busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		var wait []*client
		for i := range 2 {
			c := s.dial(t)
			c.send(get)
			s.await(t, "it to be queued", func(st recycling.Stats) bool { return st.Queued == int64(i+1) })
			wait = append(wait, c)
		}
		for range 3 {
			c := s.dial(t)
			c.send(get)
			c.refused()
		}
		idle.send(get)
		idle.refused()
		large := s.dial(t) // its body is still to come
		large.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n")
		large.refused()
		g.open()
		for _, c := range append(wait, busy) {
			if res, _ := c.response(); res.StatusCode != http.StatusOK {
				t.Errorf("answered with %v", res.Status)
			}
		}
		s.await(t, "the rest", func(st recycling.Stats) bool { return st.Open == 3 && st.Shed == 5 && st.ShedQueue == 5 })
	})
}

func TestQueueWaitRefusesWhatHasWaited(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, QueueWait: 50 * time.Millisecond}, Standby: 1}, g.serve)
		busy := s.dial(t)
		busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		for range 3 {
			var all []*client
			for range 3 {
				c := s.dial(t)
				c.send(get)
				all = append(all, c)
			}
			for _, c := range all {
				c.refused()
			}
		}
		g.open()
		busy.response()
		s.await(t, "the rest", func(st recycling.Stats) bool {
			return st.Open == 1 && st.ShedQueue == 9 && st.Queued == 0 && st.Requests == 1
		})
		s.once(t, "/")
	})
}

func TestQueueWaitIsExceededByAQuarterAtMost(t *testing.T) {
	parallel(t)
	const wait, arrivals = time.Second, 40
	var busy chan bool
	s := &recycling.Server{Strategy: recycling.Recycling, Limits: recycling.Limits{MaxWorkers: 1, QueueWait: wait}}
	inBubble(t, s, func(http.ResponseWriter, *http.Request) { busy <- true; busy <- true }, func(t *testing.T, dial func(wrap func(net.Conn) net.Conn) net.Conn) {
		busy = make(chan bool)
		io.WriteString(dial(nil), get)
		<-busy
		var all sync.WaitGroup
		for range arrivals {
			c := dial(nil)
			begin := time.Now()
			all.Go(func() {
				go io.WriteString(c, get)
				res, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil || res.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("the answer is %v, %v", res, err)
				}
				if d := time.Since(begin); d < wait || d > wait+wait/4 {
					t.Errorf("the answer came after %v, want %v to %v", d, wait, wait+wait/4)
				}
				c.Close()
			})
			time.Sleep(wait / 16) // in the bubble
		}
		all.Wait()
		<-busy
	})
}

// If all workers are blocked in handlers, everything that needs none still works.
func TestBusyWorkersStopNothingElse(t *testing.T) {
	parallel(t)
	needsParking(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{
			HTTP:   &http.Server{ReadHeaderTimeout: 500 * time.Millisecond},
			Limits: recycling.Limits{MaxWorkers: 2, MaxQueue: 1, QueueWait: -1}, Standby: 1, HealthPath: "/health",
		}, g.serve)
		for range 2 {
			s.dial(t).send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
			receive(t, g.entered, "the handler")
		}
		waits := s.dial(t)
		waits.send(get)
		s.await(t, "it to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
		for range 10 {
			c := s.dial(t)
			c.send(get)
			c.refused()
			if body := s.once(t, "/health"); body != "answer" {
				t.Errorf("answered with %q", body)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown returned %v", err)
		}
		s.ended(t, http.ErrServerClosed)
		g.open()
		if res, _ := waits.response(); res.StatusCode != http.StatusOK {
			t.Errorf("answered with %v", res.Status)
		}
	})
}

func TestLargestAndNoMaxQueue(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingNet, poolOwn}, func(t *testing.T, m mode) {
		for _, n := range []int{math.MaxInt, -1} {
			g := newGate(t)
			s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: n}, Standby: 1}, g.serve)
			one, two := s.dial(t), s.dial(t)
			one.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			receive(t, g.entered, "the handler")
			two.send(get)
			s.await(t, "the second to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
			g.open()
			for _, c := range []*client{one, two} {
				if res, _ := c.response(); res.StatusCode != http.StatusOK {
					t.Errorf("%d: answered with %v", n, res.Status)
				}
			}
			s.Close()
		}
	})
}
