package recycling_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// A tempError is an error after which Serve should continue.
type tempError struct{}

func (tempError) Error() string   { return "try again" }
func (tempError) Temporary() bool { return true }
func (tempError) Timeout() bool   { return false }

// A scriptListener returns the errors of its script, and a connection for each nil in it. After
// that it works as its inner listener does.
type scriptListener struct {
	net.Listener
	script chan error
}

func (l scriptListener) Accept() (net.Conn, error) {
	select {
	case err := <-l.script:
		if err != nil {
			return nil, err
		}
	default:
	}
	return l.Listener.Accept()
}

// scripted makes m listen on scriptListeners.
func (m mode) scripted(script ...error) mode {
	m.listen = func() (net.Listener, error) {
		l, err := listenNet()
		errs := make(chan error, len(script))
		for _, err := range script {
			errs <- err
		}
		return scriptListener{l, errs}, err
	}
	return m
}

func TestTemporaryErrorsOfAcceptAreLoggedAndRetried(t *testing.T) {
	parallel(t)
	forEach(t, wrappedModes, func(t *testing.T, m mode) {
		h, log := logging()
		s := m.scripted(tempError{}, tempError{}, tempError{}, nil, tempError{}).start(t, &recycling.Server{HTTP: h}, hello)
		for range 2 {
			if body := s.once(t, "/"); body != "hello" {
				t.Errorf("answer %q", body)
			}
		}
		var want strings.Builder
		for _, d := range []int{5, 10, 20, 5} {
			fmt.Fprintf(&want, "http: Accept error: try again; retrying in %dms\n", d)
		}
		if got := log.String(); got != want.String() {
			t.Errorf("error log has\n%swant\n%s", got, want.String())
		}
	})
}

func TestOtherErrorsOfAcceptEndServe(t *testing.T) {
	parallel(t)
	broken := errors.New("broken")
	forEach(t, wrappedModes, func(t *testing.T, m mode) {
		h, log := logging()
		s := m.scripted(nil, broken).start(t, &recycling.Server{HTTP: h}, hello)
		c := s.dial(t)
		c.get("/")
		s.ended(t, broken)
		c.get("/") // the connection continues
		if log.String() != "" {
			t.Errorf("error log has %q", log)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		c.ended()
	})
}

func TestConnStateIsNewBeforeServeReturns(t *testing.T) {
	parallel(t)
	broken := errors.New("broken")
	forEach(t, wrappedModes, func(t *testing.T, m mode) {
		states := make(chan http.ConnState, 9)
		h := &http.Server{ConnState: func(_ net.Conn, to http.ConnState) { states <- to }}
		s := m.scripted(nil, broken).start(t, &recycling.Server{HTTP: h}, hello)
		c := s.dial(t)
		s.ended(t, broken)
		select {
		case to := <-states:
			if to != http.StateNew {
				t.Errorf("state is %v", to)
			}
		default:
			t.Error("nobody was told of the connection")
		}
		c.Close()
		if to := receive(t, states, "the end of the connection"); to != http.StateClosed {
			t.Errorf("state is %v", to)
		}
	})
}

func TestErrorsOfTheSystemDoNotEndServe(t *testing.T) {
	parallel(t)
	forEach(t, wrappedModes[:2], func(t *testing.T, m mode) {
		var script []error
		for _, errno := range []syscall.Errno{syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM, syscall.ENETDOWN, syscall.EPROTO, syscall.EMFILE} {
			script = append(script, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", errno)})
		}
		h, _ := logging()
		s := m.scripted(script...).start(t, &recycling.Server{HTTP: h}, hello)
		s.once(t, "/")
	})
}

// A voidListener first returns neither a connection nor an error.
type voidListener struct {
	net.Listener
	broken *atomic.Bool
}

func (l voidListener) Accept() (net.Conn, error) {
	if l.broken.Swap(false) {
		return nil, nil
	}
	return l.Listener.Accept()
}

// net/http ends the process.
func TestNoConnectionFromAcceptIsIgnored(t *testing.T) {
	parallel(t)
	forEach(t, wrappedModes[:2], func(t *testing.T, m mode) {
		var broken atomic.Bool
		broken.Store(true)
		m = m.on("void", func(l net.Listener) net.Listener { return voidListener{l, &broken} })
		h, log := logging()
		s := m.start(t, &recycling.Server{HTTP: h}, hello)
		s.once(t, "/")
		if log.String() != "" || s.Stats().Accepted != 1 {
			t.Errorf("%d were accepted, and the error log has %q", s.Stats().Accepted, log)
		}
	})
}
