package recycling_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// Shutdown ends LameDuck, and Run waits for what is left, as without LameDuck.
func TestRunWaitsWhenShutdownIsCalledDuringLameDuck(t *testing.T) {
	parallel(t)
	forEach(t, ownModes, func(t *testing.T, m mode) {
		began, release := make(chan struct{}, 1), make(chan struct{})
		hook := make(chan struct{})
		var shut func() error
		s := m.run(t, &recycling.Server{LameDuck: time.Hour, OnDrain: func(ctx context.Context) {
			go shut()
			<-hook
		}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began <- struct{}{}
			<-release
		}))
		shut = func() error { return s.Shutdown(context.Background()) }
		c := dialTo(t, s.addr)
		c.send(get)
		receive(t, began, "the request")
		s.stop()
		<-s.Draining()
		select {
		case err := <-s.done:
			t.Fatalf("Run has returned %v with a request in flight", err)
		case <-time.After(300 * time.Millisecond):
		}
		close(release)
		c.response()
		select {
		case err := <-s.done:
			t.Fatalf("Run has returned %v before OnDrain", err)
		case <-time.After(300 * time.Millisecond):
		}
		close(hook)
		if err := receive(t, s.done, "the end of Run"); err != nil {
			t.Errorf("Run has returned %v", err)
		}
	})
}

// Close ends Run during LameDuck, whatever handlers do.
func TestCloseDuringLameDuckEndsRun(t *testing.T) {
	parallel(t)
	forEach(t, ownModes, func(t *testing.T, m mode) {
		began, release := make(chan struct{}, 1), make(chan struct{})
		s := m.run(t, &recycling.Server{LameDuck: time.Hour, DrainTimeout: time.Hour}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began <- struct{}{}
			<-release
		}))
		defer close(release)
		dialTo(t, s.addr).send(get)
		receive(t, began, "the request")
		s.stop()
		<-s.Draining()
		s.Close()
		if err := receive(t, s.done, "the end of Run"); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Run has returned %v", err)
		}
	})
}
