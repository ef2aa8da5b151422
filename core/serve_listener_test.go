package recycling_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// A fussyListener counts how often it is closed, and returns an error for that. It is not
// comparable.
type fussyListener struct {
	net.Listener
	closed   *atomic.Int64
	closeErr error
	_        []int
}

func (l fussyListener) Close() error {
	l.closed.Add(1)
	return errors.Join(l.Listener.Close(), l.closeErr)
}

// fussy makes m listen on fussyListeners.
func (m mode) fussy(closed *atomic.Int64, closeErr error) mode {
	m.listen = func() (net.Listener, error) {
		l, err := listenNet()
		return fussyListener{Listener: l, closed: closed, closeErr: closeErr}, err
	}
	return m
}

func TestListenerIsClosedOnce(t *testing.T) {
	parallel(t)
	for name, end := range map[string]func(s *instance){
		"Shutdown":                    func(s *instance) { s.Shutdown(context.Background()) },
		"Close":                       func(s *instance) { s.Close() },
		"Close after Shutdown":        func(s *instance) { s.Shutdown(context.Background()); s.Close() },
		"Shutdown of the HTTP server": func(s *instance) { s.HTTP.Shutdown(context.Background()); s.Shutdown(context.Background()) },
		"failure":                     func(s *instance) { s.listener.(fussyListener).Listener.Close() },
		"failure, and Shutdown after it": func(s *instance) {
			s.listener.(fussyListener).Listener.Close()
			<-s.served
			s.Shutdown(context.Background())
		},
		"all at once, and several of each": func(s *instance) {
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() { s.Shutdown(context.Background()) })
				all.Go(func() { s.Close() })
			}
			all.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, wrappedModes, func(t *testing.T, m mode) {
				var closed atomic.Int64
				s := m.fussy(&closed, nil).start(t, &recycling.Server{}, hello)
				if body := s.once(t, "/"); body != "hello" {
					t.Errorf("answer %q", body)
				}
				end(s)
				receive(t, s.served, "Serve to return")
				if n := closed.Load(); n != 1 {
					t.Errorf("the listener was closed %d times", n)
				}
			})
		})
	}
}

func TestListenerIsClosedOnceByServeAfterShutdown(t *testing.T) {
	parallel(t)
	forEach(t, wrappedModes, func(t *testing.T, m mode) {
		var closed atomic.Int64
		s := &recycling.Server{Strategy: m.strategy}
		s.Shutdown(context.Background())
		l, err := m.fussy(&closed, nil).listen()
		if err != nil {
			t.Fatal(err)
		}
		serve(s, l).ended(t, http.ErrServerClosed)
		if n := closed.Load(); n != 1 {
			t.Errorf("the listener was closed %d times", n)
		}
	})
}

func TestShutdownAndCloseReturnTheErrorOfTheListener(t *testing.T) {
	parallel(t)
	broken := errors.New("cannot be closed")
	for name, end := range map[string]func(*recycling.Server) error{
		"Shutdown": func(s *recycling.Server) error { return s.Shutdown(context.Background()) },
		"Close":    (*recycling.Server).Close,
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, wrappedModes, func(t *testing.T, m mode) {
				var closed atomic.Int64
				s := m.fussy(&closed, broken).start(t, &recycling.Server{}, hello)
				s.once(t, "/")
				if err := end(s.Server); !errors.Is(err, broken) {
					t.Errorf("returned %v, want the error of the listener", err)
				}
				s.ended(t, http.ErrServerClosed)
				if err := end(s.Server); err != nil {
					t.Errorf("the second time it returned %v", err)
				}
			})
		})
	}
}
