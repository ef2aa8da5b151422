package engine

import (
	"context"
	"net/http"
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
