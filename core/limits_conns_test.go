package recycling_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

func TestMaxConnsClosesTheOldestIdleOne(t *testing.T) {
	parallel(t)
	for name, srv := range map[string]*http.Server{"": {}, "without a timeout": {IdleTimeout: -1}} {
		t.Run(name, func(t *testing.T) {
			needsParking(t)
			forEach(t, parkModes, func(t *testing.T, m mode) {
				s := m.start(t, &recycling.Server{HTTP: &http.Server{IdleTimeout: srv.IdleTimeout}, Limits: recycling.Limits{MaxConns: 3}}, hello)
				var all []*client
				for i := range 3 {
					all = append(all, s.dial(t))
					all[i].get("/")
					s.await(t, "it to park", func(st recycling.Stats) bool { return st.Parked == int64(i+1) })
				}
				all[0].get("/") // now it has been idle for the shortest time
				s.await(t, "all to park", func(st recycling.Stats) bool { return st.Parked == 3 })
				s.dial(t).get("/")
				all[1].ended()
				all[0].get("/")
				all[2].get("/")
				if st := s.Stats(); st.Evicted != 1 || st.Open != 3 || st.Shed != 0 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

func TestMaxConnsLeavesOthersInTheKernelsQueue(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: 2}}, g.serve)
		var all []*client
		for range 4 {
			c := s.dial(t)
			c.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			all = append(all, c)
		}
		receive(t, g.entered, "the first")
		receive(t, g.entered, "the second")
		s.await(t, "accepting to rest", func(st recycling.Stats) bool { return st.Held > 2 })
		if st := s.Stats(); st.Open != 2 || st.Accepted != 2 {
			t.Errorf("%+v", st)
		}
		g.open()
		for _, c := range all {
			if res, _ := c.response(); res.StatusCode != http.StatusOK {
				t.Errorf("answered with %v", res.Status)
			}
		}
	})
}

func TestRefuseConnsAnswersThem(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: 1}, RefuseConns: true}, g.serve)
		one := s.dial(t)
		one.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
		receive(t, g.entered, "the first")
		for range 3 {
			c := s.dial(t)
			c.send(get)
			c.refused()
		}
		g.open()
		if res, _ := one.response(); res.StatusCode != http.StatusOK {
			t.Errorf("answered with %v", res.Status)
		}
		s.await(t, "the end", func(st recycling.Stats) bool {
			return st.Open == 0 && st.Accepted == 4 && st.Shed == 3 && st.ShedConns == 3 && st.Requests == 1
		})
		s.once(t, "/")
	})
}

func TestMaxConnsPerIP(t *testing.T) {
	parallel(t)
	if runtime.GOOS != "linux" {
		t.Skip("there is only one loopback address")
	}
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxConnsPerIP: 2}}, hello)
		one, two := s.dialFrom(t, "127.0.0.1"), s.dialFrom(t, "127.0.0.1")
		one.get("/")
		two.get("/")
		three := s.dialFrom(t, "127.0.0.1")
		three.send(get)
		three.refused()
		s.dialFrom(t, "127.0.0.2").get("/")
		one.Close()
		s.await(t, "the first to be closed", func(st recycling.Stats) bool { return st.Open == 2 })
		s.dialFrom(t, "127.0.0.1").get("/")
		if st := s.Stats(); st.ShedPerIP != 1 || st.Shed != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// The limit holds while connections come and go, not only while they are idle.
func TestMaxConnsIsABound(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		const limit, clients, requests = 10, 100, 300
		var most, served atomic.Int64
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		var s *instance
		s = m.start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: limit, MaxQueue: clients}}, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(5 * time.Millisecond)
			for n := s.Stats().Open; ; {
				if old := most.Load(); n <= old || most.CompareAndSwap(old, n) {
					break
				}
			}
			if served.Add(1) == requests {
				cancel()
			}
		})
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				for ctx.Err() == nil { // reconnects after its connection was closed while idle
					c, err := net.Dial("tcp", s.addr.String())
					if err != nil {
						t.Error(err)
						return
					}
					stop := context.AfterFunc(ctx, func() { c.Close() })
					for _, err = io.WriteString(c, get); err == nil; _, err = io.WriteString(c, get) {
						if _, err = c.Read(make([]byte, 1000)); err != nil {
							break
						}
					}
					stop()
					c.Close()
				}
			})
		}
		all.Wait()
		// An idle connection may just have resumed.
		if n := most.Load(); n > limit+limit/2 || served.Load() < requests {
			t.Errorf("%d connections were open during %d requests, want about %d during %d", n, served.Load(), limit, requests)
		}
	})
}

func TestRefusedConnectionsEvictNobody(t *testing.T) {
	parallel(t)
	if !recycling.Parks || runtime.GOOS != "linux" {
		t.Skip("connections do not park")
	}
	s := recyclingNet.start(t, &recycling.Server{Limits: recycling.Limits{MaxConns: 3, MaxConnsPerIP: 2}}, hello)
	var idle []*client
	for range 2 {
		c := s.dial(t)
		c.get("/")
		idle = append(idle, c)
	}
	s.await(t, "them to park", func(st recycling.Stats) bool { return st.Parked == 2 })
	for range 3 {
		c := s.dial(t)
		c.send(get)
		c.refused()
	}
	for _, c := range idle {
		c.get("/")
	}
	if st := s.Stats(); st.Evicted != 0 || st.ShedPerIP != 3 {
		t.Errorf("%+v", st)
	}
}
