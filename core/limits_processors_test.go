package recycling_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// A Server has one limit on workers, whatever the number of processors and kinds of listeners.
// These tests change GOMAXPROCS, and so run one after another.

// forEachProcessors runs f with many and with few processors.
func forEachProcessors(t *testing.T, f func(t *testing.T)) {
	for _, n := range []int{1, 2, 4, 8, 16} {
		t.Run(fmt.Sprint("GOMAXPROCS=", n), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n)) // after s is closed: see startMixed
			f(t)
		})
	}
}

// startMixed serves h on listeners with a descriptor and without, and returns an instance for each.
// They share a Server.
func startMixed(t *testing.T, s *recycling.Server, h http.HandlerFunc) []*instance {
	all := []*instance{recyclingOwn.start(t, s, h)}
	for _, m := range []mode{recyclingNet, recyclingWrapped} {
		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, serve(s, l))
	}
	return all
}

// wait opens n connections, to each of all in turn, and sends a request on each that waits at the
// gate.
func (g *gate) wait(t *testing.T, all []*instance, n int) (clients []*client) {
	for i := range n {
		c := all[i%len(all)].dial(t)
		c.send("GET /wait HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
		clients = append(clients, c)
	}
	return clients
}

func TestMaxWorkersIsOneLimit(t *testing.T) {
	forEachProcessors(t, func(t *testing.T) {
		const workers, queue = 192, 50
		h := newGate(t)
		h.entered = make(chan struct{}, 1000)
		all := startMixed(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: workers, MaxQueue: queue, QueueWait: -1}, Standby: 5}, h.serve)
		s := all[0]
		// At first all connections are of one kind, as may happen by chance, and then of all kinds.
		served := h.wait(t, all[:1], workers/2)
		served = append(served, h.wait(t, all, workers-workers/2)...)
		s.await(t, "all to be served", func(st recycling.Stats) bool { return st.Busy == workers && st.Queued == 0 })
		waiting := h.wait(t, all, queue)
		s.await(t, "others to be queued", func(st recycling.Stats) bool { return st.Queued == queue })
		if st := s.Stats(); st.Busy != workers || st.Shed != 0 {
			t.Errorf("%+v, want %d busy workers and nobody refused", st, workers)
		}
		const over = 30
		for range over {
			c := s.dial(t)
			c.send(get)
			c.refused()
		}
		s.await(t, "the rest to be refused", func(st recycling.Stats) bool { return st.ShedQueue == over && st.Queued == queue })
		h.open()
		for _, c := range append(served, waiting...) {
			if res, _ := c.response(); res.StatusCode != http.StatusOK {
				t.Errorf("answered with %v", res.Status)
			}
		}
		if st := s.Stats(); st.Shed != over || st.Queued != 0 {
			t.Errorf("%+v, want %d refused", st, over)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// TestOneFreeWorkerServesWhoeverComes has all workers but one serve connections of one kind.
func TestOneFreeWorkerServesWhoeverComes(t *testing.T) {
	forEachProcessors(t, func(t *testing.T) {
		const workers = 130
		for kind := range 3 {
			t.Run(fmt.Sprint("kind ", kind), func(t *testing.T) {
				h := newGate(t)
				h.entered = make(chan struct{}, 1000)
				all := startMixed(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: workers}, Standby: 1}, h.serve)
				h.wait(t, all[kind:kind+1], workers-1)
				all[0].await(t, "all to be served", func(st recycling.Stats) bool { return st.Busy == workers-1 })
				for range 3 {
					for _, s := range all {
						s.once(t, "/")
					}
				}
				h.open()
			})
		}
	})
}

func TestQueueWaitHoldsForEachRequest(t *testing.T) {
	forEachProcessors(t, func(t *testing.T) {
		const workers, queue = 130, 40
		h := newGate(t)
		h.entered = make(chan struct{}, 1000)
		all := startMixed(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: workers, QueueWait: 100 * time.Millisecond}}, h.serve)
		h.wait(t, all, workers)
		all[0].await(t, "all to be served", func(st recycling.Stats) bool { return st.Busy == workers })
		waiting := h.wait(t, all, queue)
		all[0].await(t, "those that wait to be refused", func(st recycling.Stats) bool { return st.ShedQueue == queue && st.Queued == 0 })
		for _, c := range waiting {
			c.refused()
		}
		h.open()
	})
}

// TestConnectionsOfAllKindsAreServedByFewWorkers continues only when each connection has a
// response.
func TestConnectionsOfAllKindsAreServedByFewWorkers(t *testing.T) {
	forEachProcessors(t, func(t *testing.T) {
		all := startMixed(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 128, QueueWait: -1}, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
			runtime.Gosched()
			io.WriteString(w, "answer")
		})
		const n, each = 300, 5
		done := make(chan int, n)
		for i := range n {
			go func() {
				for range each {
					all[i%len(all)].once(t, "/")
				}
				done <- i
			}()
		}
		for range n {
			receive(t, done, "all to be answered")
		}
		all[0].await(t, "all to be over", func(st recycling.Stats) bool { return st.Busy == 0 && st.Queued == 0 && st.Open == 0 })
		if st := all[0].Stats(); st.Requests != n*each || st.Shed != 0 {
			t.Errorf("%+v, want %d requests", st, n*each)
		}
	})
}

// TestMaxWaitingIsOneLimit has as many handlers wait as may, and more than MaxWorkers at work once
// they go on.
func TestMaxWaitingIsOneLimit(t *testing.T) {
	forEachProcessors(t, func(t *testing.T) {
		const workers, waiting, queue = 130, 60, 20
		h := newStepper(t)
		limits := recycling.Limits{MaxWorkers: workers, MaxWaiting: waiting, MaxQueue: queue, QueueWait: -1}
		all := startMixed(t, &recycling.Server{Limits: limits, Standby: 5}, h.serve)
		s := all[0]
		var clients []*client
		ask := func(n int, path string) {
			for i := range n {
				clients = append(clients, all[i%len(all)].asks(t, path))
			}
		}
		ask(waiting, "/wait/work")
		s.counts(t, 0, waiting)
		ask(workers, "/wait/work")
		s.counts(t, workers, waiting) // MaxWaiting is used up
		ask(queue, "/work")
		s.await(t, "others to be queued", func(st recycling.Stats) bool { return st.Queued == queue })
		for range workers + waiting {
			h.let["wait"] <- struct{}{}
		}
		s.counts(t, workers+waiting, 0)
		for range 3 {
			s.asks(t, "/").refused()
		}
		for range waiting {
			h.let["work"] <- struct{}{}
		}
		s.counts(t, workers, 0)
		if st := s.Stats(); st.Queued != queue {
			t.Errorf("%+v, want %d queued", st, queue)
		}
		s.await(t, "3 to count as refused", func(st recycling.Stats) bool { return st.ShedQueue == 3 })
		for range queue {
			h.let["work"] <- struct{}{}
		}
		s.await(t, "the queue to be served", func(st recycling.Stats) bool { return st.Queued == 0 && st.Busy == workers })
		h.open()
		answered(t, clients...)
		s.counts(t, 0, 0)
	})
}
