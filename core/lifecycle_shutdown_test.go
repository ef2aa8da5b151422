package recycling_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

func TestShutdownAnswersWhatIsInFlightAndClosesWhatIsIdle(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{}, g.serve)
		idle := s.dial(t)
		idle.get("/")
		busy := s.dial(t)
		busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")

		done := s.shutdown(context.Background())
		s.ended(t, http.ErrServerClosed)
		idle.ended()
		select {
		case err := <-done:
			t.Fatalf("Shutdown returned %v before the request was answered", err)
		default:
		}
		g.open()
		res, body := busy.response()
		if !res.Close || body != "answer" {
			t.Errorf("answer %q, closing: %v", body, res.Close)
		}
		busy.ended()
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if st := s.Stats(); m.strategy != recycling.Goroutine && (st.Open != 0 || st.Closed != 2) {
			t.Errorf("after Shutdown: %+v", st)
		}
	})
}

func TestShutdownOfTheHTTPServerDrains(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{}, g.serve)
		idle := s.dial(t)
		idle.get("/")
		busy := s.dial(t)
		busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")

		done := make(chan error, 1)
		go func() { done <- s.HTTP.Shutdown(context.Background()) }()
		s.ended(t, http.ErrServerClosed)
		idle.ended()
		g.open()
		if res, body := busy.response(); !res.Close || body != "answer" {
			t.Errorf("answer %q, closing: %v", body, res.Close)
		}
		busy.ended()
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown of the Server: %v", err)
		}
		s.await(t, "the connections' end", func(st recycling.Stats) bool { return st.Open == 0 })
	})
}

func TestShutdownMayBeCalledOftenAndTogether(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{}, g.serve)
		busy := s.dial(t)
		busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		one, two := s.shutdown(context.Background()), s.shutdown(context.Background())
		s.ended(t, http.ErrServerClosed)
		three := s.shutdown(context.Background())
		g.open()
		for _, done := range []<-chan error{one, two, three, s.shutdown(context.Background())} {
			if err := receive(t, done, "Shutdown"); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		}
	})
}

func TestServeAfterShutdownReturnsErrServerClosed(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		for _, served := range []bool{false, true} {
			s := &recycling.Server{Strategy: m.strategy, HTTP: &http.Server{Addr: "127.0.0.1:0", Handler: http.HandlerFunc(hello)}}
			if served {
				first := m.start(t, s, hello)
				first.once(t, "/")
				if err := s.Shutdown(context.Background()); err != nil {
					t.Fatal(err)
				}
				first.ended(t, http.ErrServerClosed)
			} else if err := s.Shutdown(context.Background()); err != nil {
				t.Fatal(err)
			}
			l, err := m.listen()
			if err != nil {
				t.Fatal(err)
			}
			serve(s, l).ended(t, http.ErrServerClosed)
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("Serve left its listener open: Accept: %v", err)
			}
			if err := s.ListenAndServe(); err != http.ErrServerClosed {
				t.Errorf("ListenAndServe returned %v", err)
			}
			if err := s.Run(context.Background(), nil); err != http.ErrServerClosed {
				t.Errorf("Run returned %v", err)
			}
		}
	})
}

func TestShutdownWhileNothingIsConnected(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		began := make(chan struct{}, 1)
		base := func(net.Listener) context.Context {
			began <- struct{}{}
			return context.Background()
		}
		s := m.start(t, &recycling.Server{HTTP: &http.Server{BaseContext: base}}, hello)
		receive(t, began, "Serve")
		// Serve may be anywhere between here and accepting.
		if err := receive(t, s.shutdown(context.Background()), "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		s.ended(t, http.ErrServerClosed)
	})
}

func TestShutdownObeysItsContext(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		entered, left := make(chan struct{}, 1), make(chan struct{}, 1)
		s := m.start(t, &recycling.Server{}, untilCancelled(entered, left))
		c := s.dial(t)
		c.send(get)
		receive(t, entered, "the handler")
		ctx, cancel := context.WithCancel(context.Background())
		done := s.shutdown(ctx)
		s.ended(t, http.ErrServerClosed)
		cancel()
		if err := receive(t, done, "Shutdown"); err != context.Canceled {
			t.Errorf("Shutdown returned %v", err)
		}
		if len(left) > 0 {
			t.Error("the handler was cancelled")
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		receive(t, left, "the handler's context")
		c.ended()
	})
}

// A readListener reports every Read of its connections that returned data.
type readListener struct {
	net.Listener
	read chan struct{}
}

func (l readListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return readConn{c, l.read}, err
}

type readConn struct {
	net.Conn
	read chan struct{}
}

func (c readConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.read <- struct{}{}
	}
	return n, err
}

// Net/http reads such a request to its end, and then closes the connection without a response.
func TestShutdownAnswersARequestThatWasHalfReceived(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		read := make(chan struct{}, 100)
		if listen := m.listen; !m.parks {
			m.listen = func() (net.Listener, error) {
				l, err := listen()
				return readListener{l, read}, err
			}
		}
		s := m.start(t, &recycling.Server{}, hello)
		c := s.dial(t)
		c.send("GET / HTTP/1.1\r\nHost:")
		if m.parks {
			s.await(t, "a parked connection", func(st recycling.Stats) bool { return st.Parked == 1 })
		} else {
			receive(t, read, "the first half")
		}
		done := s.shutdown(context.Background())
		s.ended(t, http.ErrServerClosed)
		c.send(" test\r\n\r\n")
		if res, body := c.response(); !res.Close || body != "hello" {
			t.Errorf("answer %q, closing: %v", body, res.Close)
		}
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// The response before it had no "Connection: close", so the client could not know.
func TestShutdownAnswersARequestThatCameAfterAnUnclosedAnswer(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "6")
			io.WriteString(w, "answer")
			if r.URL.Path == "/wait" {
				w.(http.Flusher).Flush()
				g.entered <- struct{}{}
				<-g.opened
			}
		})
		c := s.dial(t)
		c.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		if res, body := c.response(); res.Close || body != "answer" {
			t.Fatalf("answer %q, closing: %v", body, res.Close)
		}
		receive(t, g.entered, "the handler")
		c.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
		done := s.shutdown(context.Background())
		s.ended(t, http.ErrServerClosed)
		g.open()
		if res, body := c.response(); !res.Close || body != "answer" {
			t.Errorf("answer %q, closing: %v", body, res.Close)
		}
		c.ended()
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}
