package recycling_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/offload"
)

// recyclingModes are those in which handlers may wait without counting.
var recyclingModes = []mode{recyclingOwn, recyclingNet, recyclingWrapped}

// A stepper has a handler that does the steps of a request's path, such as /wait/work, and needs to
// be let go in each.
type stepper struct {
	t       *testing.T
	entered chan string // the name of each step that begins
	let     map[string]chan struct{}
	once    sync.Once
}

func newStepper(t *testing.T) *stepper {
	s := &stepper{t: t, entered: make(chan string, 1000), let: map[string]chan struct{}{}}
	for _, name := range []string{"wait", "work", "again"} {
		s.let[name] = make(chan struct{}, 1000)
	}
	t.Cleanup(s.open)
	return s
}

// open lets all requests finish.
func (s *stepper) open() {
	s.once.Do(func() {
		for _, c := range s.let {
			close(c)
		}
	})
}

func (s *stepper) step(name string) {
	s.entered <- name
	<-s.let[name]
}

func (s *stepper) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/wait":
		offload.Waiting(r.Context(), func() { s.step("wait") })
	case "/work":
		s.step("work")
	case "/wait/work":
		offload.Waiting(r.Context(), func() { s.step("wait") })
		s.step("work")
	case "/wait/work/again":
		offload.Waiting(r.Context(), func() { s.step("wait") })
		s.step("work")
		offload.Waiting(r.Context(), func() { s.step("again") })
	}
	io.WriteString(w, "answer")
}

// asks sends a request, which closes its connection, for path.
func (s *instance) asks(t *testing.T, path string) *client {
	c := s.dial(t)
	c.send("GET %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", path)
	return c
}

// begins is asks for a request whose first step begins at once.
func (s *instance) begins(t *testing.T, st *stepper, path string) *client {
	t.Helper()
	c := s.asks(t, path)
	receive(t, st.entered, path)
	return c
}

func answered(t *testing.T, all ...*client) {
	t.Helper()
	for _, c := range all {
		if res, body := c.response(); res.StatusCode != http.StatusOK || body != "answer" {
			t.Errorf("answered with %s, %q", res.Status, body)
		}
	}
}

// counts waits until as many workers are busy, and as many handlers wait.
func (s *instance) counts(t *testing.T, busy, waiting int) {
	t.Helper()
	s.await(t, "counts", func(st recycling.Stats) bool { return st.Busy == busy && st.Waiting == waiting })
	if st := s.Stats(); st.Workers != st.Busy+st.Standby {
		t.Errorf("workers are not those that are busy or stand by: %+v", st)
	}
}

func TestWaitingHandlersDoNotCount(t *testing.T) {
	parallel(t)
	forEach(t, recyclingModes, func(t *testing.T, m mode) {
		st := newStepper(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 1}, Standby: 1}, st.serve)
		var all []*client
		for range 10 {
			all = append(all, s.begins(t, st, "/wait"))
		}
		s.counts(t, 0, 10)
		for range 3 {
			answered(t, s.asks(t, "/"))
		}
		all = append(all, s.begins(t, st, "/work"))
		s.counts(t, 1, 10)
		st.open()
		answered(t, all...)
		s.counts(t, 0, 0)
	})
}

func TestMaxWaitingIsALimit(t *testing.T) {
	parallel(t)
	forEach(t, recyclingModes, func(t *testing.T, m mode) {
		st := newStepper(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 2, MaxWaiting: 3}, Standby: 1}, st.serve)
		var all []*client
		for range 5 {
			all = append(all, s.begins(t, st, "/wait"))
		}
		s.counts(t, 2, 3)
		all = append(all, s.asks(t, "/wait"), s.asks(t, "/wait"))
		s.await(t, "two to be queued", func(st recycling.Stats) bool { return st.Queued == 2 })
		if len(st.entered) > 0 {
			t.Error("more handlers than MaxWorkers and MaxWaiting run")
		}
		st.open()
		answered(t, all...)
		s.counts(t, 0, 0)
	})
}

// TestHandlersThatHaveWaitedComeFirst has more than MaxWorkers at work. Until there are fewer
// again, no other request begins, and as many may queue as at any other time.
func TestHandlersThatHaveWaitedComeFirst(t *testing.T) {
	parallel(t)
	forEach(t, recyclingModes, func(t *testing.T, m mode) {
		st := newStepper(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxQueue: 2}, Standby: 1}, st.serve)
		waited := []*client{s.begins(t, st, "/wait/work"), s.begins(t, st, "/wait/work")}
		busy := s.begins(t, st, "/work")
		for range 2 {
			st.let["wait"] <- struct{}{}
			receive(t, st.entered, "a handler to go on")
		}
		s.counts(t, 3, 0)
		queued := []*client{s.asks(t, "/work"), s.asks(t, "/work")}
		s.await(t, "two to be queued", func(st recycling.Stats) bool { return st.Queued == 2 })
		s.asks(t, "/").refused()
		for left := 2; left > 0; left-- {
			st.let["work"] <- struct{}{}
			s.counts(t, left, 0)
		}
		if len(st.entered) > 0 || s.Stats().Queued != 2 {
			t.Errorf("a request has begun while one that had waited was at work: %+v", s.Stats())
		}
		st.let["work"] <- struct{}{}
		receive(t, st.entered, "the next request")
		s.counts(t, 1, 0)
		st.open()
		answered(t, append(append(waited, busy), queued...)...)
	})
}

func TestHandlerMayWaitAgain(t *testing.T) {
	parallel(t)
	forEach(t, recyclingModes, func(t *testing.T, m mode) {
		st := newStepper(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1, MaxWaiting: 1}, Standby: 1}, st.serve)
		c := s.begins(t, st, "/wait/work/again")
		s.counts(t, 0, 1)
		st.let["wait"] <- struct{}{}
		receive(t, st.entered, "work")
		s.counts(t, 1, 0)
		st.let["work"] <- struct{}{}
		receive(t, st.entered, "the second wait")
		s.counts(t, 0, 1)
		other := s.begins(t, st, "/wait/work/again") // MaxWaiting is used up
		s.counts(t, 1, 1)
		st.open()
		answered(t, c, other)
	})
}

func TestWaitingCountsOnceWhenNested(t *testing.T) {
	parallel(t)
	forEach(t, recyclingModes, func(t *testing.T, m mode) {
		var s *instance
		s = m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
			type key struct{}
			ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), key{}, 1), time.Hour)
			defer cancel()
			offload.Waiting(ctx, func() {
				offload.Waiting(r.Context(), func() { s.counts(t, 0, 1) })
				s.counts(t, 0, 1)
				var others sync.WaitGroup
				for range 3 {
					others.Go(func() { offload.Waiting(ctx, func() { s.counts(t, 0, 1) }) })
				}
				others.Wait()
				s.counts(t, 0, 1)
			})
			s.counts(t, 1, 0)
			io.WriteString(w, "answer")
		})
		answered(t, s.asks(t, "/"))
	})
}

func TestWaitingEndsWithAPanic(t *testing.T) {
	parallel(t)
	ends := map[string]func(){
		"/panic":  func() { panic("wait") },
		"/abort":  func() { panic(http.ErrAbortHandler) },
		"/Goexit": runtime.Goexit,
	}
	forEach(t, everyMode, func(t *testing.T, m mode) {
		st := newStepper(t)
		s := m.start(t, &recycling.Server{HTTP: quiet(), Limits: recycling.Limits{MaxWorkers: 2}, Standby: 1}, func(w http.ResponseWriter, r *http.Request) {
			if end, ok := ends[r.URL.Path]; ok {
				offload.Waiting(r.Context(), end)
			}
			if r.URL.Path == "/recovered" {
				func() {
					defer func() { recover() }()
					offload.Waiting(r.Context(), ends["/panic"])
				}()
			}
			st.serve(w, r)
		})
		for range 3 {
			for path := range ends {
				s.asks(t, path).ended()
			}
			answered(t, s.asks(t, "/recovered"))
		}
		if m.strategy == recycling.Goroutine {
			return
		}
		all := []*client{s.begins(t, st, "/work"), s.begins(t, st, "/work")}
		s.counts(t, 2, 0)
		st.open()
		answered(t, all...)
	})
}

// TestWaitingOnlyCallsElsewhere has handlers whose server has no workers that requests share.
func TestWaitingOnlyCallsElsewhere(t *testing.T) {
	parallel(t)
	forEach(t, []mode{poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		st := newStepper(t)
		s := m.start(t, &recycling.Server{}, st.serve)
		c := s.begins(t, st, "/wait/work")
		if m.strategy == recycling.Fixed {
			s.counts(t, 1, 0)
		}
		if n := s.Stats().Waiting; n != 0 {
			t.Errorf("%d wait, want 0", n)
		}
		st.open()
		answered(t, c)
	})
	called := 0
	offload.Waiting(context.Background(), func() { called++ })
	if called != 1 {
		t.Errorf("without a request, the function was called %d times, want once", called)
	}
}

func TestShutdownWaitsForWaitingHandlers(t *testing.T) {
	parallel(t)
	forEach(t, recyclingModes, func(t *testing.T, m mode) {
		st := newStepper(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1}, st.serve)
		all := []*client{s.begins(t, st, "/wait/work"), s.begins(t, st, "/wait/work"), s.begins(t, st, "/work")}
		done := s.shutdown(context.Background())
		s.ended(t, http.ErrServerClosed)
		select {
		case err := <-done:
			t.Fatalf("Shutdown returned %v before the handlers", err)
		case <-time.After(time.Millisecond):
		}
		s.counts(t, 1, 2)
		st.open()
		answered(t, all...)
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

func TestCloseReportsWaitingHandlers(t *testing.T) {
	parallel(t)
	forEach(t, recyclingModes, func(t *testing.T, m mode) {
		st := newStepper(t)
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1}, st.serve)
		s.begins(t, st, "/wait")
		s.begins(t, st, "/wait")
		s.begins(t, st, "/work")
		var busy *recycling.AbandonError
		if err := s.Close(); !errors.As(err, &busy) || busy.Workers != 3 {
			t.Errorf("Close returned %v, want 3 workers", err)
		}
		st.open()
	})
}
