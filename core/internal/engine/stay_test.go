package engine

import (
	"context"
	"net/http"
	"runtime"
	"testing"

	"github.com/recycling-go/recycling/core/internal/http1"
)

// A worker that stays although nobody should is told to leave once the pause is over.
func TestSweepsGoOnWhileAWorkerStays(t *testing.T) {
	e := New(Config{HTTP: new(http.Server), Context: func(ctx context.Context) context.Context { return ctx }})
	s := e.stayers[0]
	c := new(http1.Conn)
	begun := false
	for range 100 {
		e.http.Requests.Add(0, 1)
		begun = s.begin(c)
		if begun {
			break
		}
	}
	if !begun {
		t.Fatal("the worker of the only active connection does not stay")
	}
	s.timer.Stop() // the test sweeps instead
	e.http.Requests.Add(0, 100)
	s.sweep()
	if !s.paused.Load() {
		t.Fatal("stays do not pause although others have had 100 requests")
	}
	s.timer.Stop()
	other := new(http1.Conn)
	e.http.Requests.Add(0, 1)
	if s.begin(other) {
		t.Error("a worker stays during a pause")
	}
	s.sweep()
	if s.paused.Load() || !s.armed {
		t.Errorf("after the pause, with a stay: paused %v, armed %v, want that sweeps go on", s.paused.Load(), s.armed)
	}
	s.timer.Stop()
	s.end(c, false)
	s.sweep()
	if s.armed {
		t.Error("sweeps go on without a stay")
	}
	e.Close()
}

// A worker that is about to stay does not if a connection begins to wait for a worker.
func TestNobodyStaysWhileConnectionsWait(t *testing.T) {
	e := New(Config{HTTP: new(http.Server), Workers: 2, Context: func(ctx context.Context) context.Context { return ctx }})
	defer e.Close()
	s, room := e.stayers[0], e.queue.room.Share()
	for range 20 {
		c := new(http1.Conn)
		c.OthersServed = -1 << 20
		e.http.Requests.Add(0, 1)
		s.mu.Lock()
		begun := make(chan bool)
		go func() { begun <- s.begin(c) }()
		for range 1000 { // so that begin waits for the mutex
			runtime.Gosched()
		}
		room.Overdraw(3)
		e.leaveStays()
		s.mu.Unlock()
		if <-begun {
			t.Error("a worker stays although a connection waits")
			s.end(c, false)
		}
		room.Put(3)
	}
}

// A shard knows what the others do without looking at them for each request.
func TestRequestsOfOtherShardsAreEstimated(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(16))
	e := New(Config{HTTP: new(http.Server), Context: func(ctx context.Context) context.Context { return ctx }})
	if len(e.stayers) != 4 {
		t.Fatalf("%d shards, want 4", len(e.stayers))
	}
	s := e.stayers[1]
	for _, x := range []struct {
		own, others int64 // requests
		want        int64 // in all shards, for 10 of the shard
	}{
		{0, 0, 40}, // nothing is known yet: all may be as busy
		{estimateEvery, 0, 10},
		{estimateEvery, estimateEvery / 2, 15},
		{estimateEvery - 1, 1 << 20, 15}, // too early
		{1, 0, 10 * maxOthers},
		{10 * estimateEvery, 30 * estimateEvery, 40},
		{estimateEvery, 0, 10},
	} {
		e.http.Requests.Add(1, x.own)
		e.http.Requests.Add(3, x.others)
		if got := s.inAll(10, s.served()); got != x.want {
			t.Errorf("after %d more requests of the shard and %d others: %d, want %d", x.own, x.others, got, x.want)
		}
	}
	one := e.http.Requests.Total()
	if s.servedInAll() != one {
		t.Errorf("%d requests in all, want %d", s.servedInAll(), one)
	}
	e.Close()
}
