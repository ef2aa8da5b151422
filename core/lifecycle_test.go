package recycling_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

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
			if err := s.Run(context.Background()); err != http.ErrServerClosed {
				t.Errorf("Run returned %v", err)
			}
		}
	})
}

func TestCloseBeforeServeEndsTheServer(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := &recycling.Server{Strategy: m.strategy}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		serve(s, l).ended(t, http.ErrServerClosed)
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
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

// untilCancelled returns a handler that returns when its connection is closed.
func untilCancelled(entered, left chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	}
}

func TestCloseDuringShutdownEndsBoth(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		entered, left := make(chan struct{}, 1), make(chan struct{}, 1)
		s := m.start(t, &recycling.Server{}, untilCancelled(entered, left))
		c := s.dial(t)
		c.send(get)
		receive(t, entered, "the handler")
		done := s.shutdown(context.Background())
		s.ended(t, http.ErrServerClosed)
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		receive(t, left, "the handler's context")
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		c.ended()
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

// TestCloseFreesTheAddress does not run beside other tests. Some of them start processes, and a
// process that has begun exec has a copy of every descriptor for a moment: Linux lets the parent go
// on before it closes them.
func TestCloseFreesTheAddress(t *testing.T) {
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, hello)
		s.once(t, "/")
		c := s.dial(t)
		c.get("/")
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		l, err := net.Listen("tcp", s.addr.String())
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		s.ended(t, http.ErrServerClosed)
		c.ended()
	})
}

func TestCloseEndsConnectionsThatWait(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, hello)
		var idle []*client
		for range 5 {
			c := s.dial(t)
			c.get("/")
			half := s.dial(t)
			half.send("GET / HTTP/1.1\r\nHo")
			idle = append(idle, c, half)
		}
		s.await(t, "all connections", func(st recycling.Stats) bool { return st.Open == 10 && (!m.parks || st.Parked == 10) })
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		for _, c := range idle {
			c.ended()
		}
		s.await(t, "their end", func(st recycling.Stats) bool { return st.Open == 0 && st.Closed == 10 })
		if err := s.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

func TestCloseTellsHowManyHandlersHang(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		g := newGate(t)
		s := m.start(t, &recycling.Server{}, g.serve)
		for range 3 {
			s.dial(t).send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
			receive(t, g.entered, "the handler")
		}
		err := s.Close()
		var abandon *recycling.AbandonError
		if !errors.As(err, &abandon) || abandon.Workers != 3 {
			t.Errorf("Close returned %v", err)
		}
		s.ended(t, http.ErrServerClosed)
		g.open()
		s.await(t, "the connections' end", func(st recycling.Stats) bool { return st.Open == 0 })
		if err := s.Close(); err != nil {
			t.Errorf("Close, after the handlers have returned: %v", err)
		}
	})
}

func TestListenerClosedByItsOwner(t *testing.T) {
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, hello)
		c := s.dial(t)
		c.get("/")
		s.listener.Close()
		s.ended(t, net.ErrClosed)
		for range 3 {
			c.get("/")
		}
		c.Close()
		s.await(t, "the end of the workers", func(st recycling.Stats) bool {
			return st.Open == 0 && (m.strategy != recycling.Recycling || st.Workers == 0)
		})
		leavesNothing(t)

		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		again := serve(s.Server, l)
		if body := again.once(t, "/"); body != "hello" {
			t.Errorf("answer %q", body)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		again.ended(t, http.ErrServerClosed)
	})
}

func TestConnectionsOutliveTheirListenerBesideAnother(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, hello)
		c := s.dial(t)
		c.get("/")
		l, err := m.listen()
		if err != nil {
			t.Fatal(err)
		}
		other := serve(s.Server, l)
		other.once(t, "/")
		s.listener.Close()
		s.ended(t, net.ErrClosed)
		c.get("/")
		other.once(t, "/")
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		other.ended(t, http.ErrServerClosed)
		c.ended()
	})
}

func listenUnix(t testing.TB) (net.Listener, error) {
	dir, err := os.MkdirTemp("", "recycling") // t.TempDir may be too long for a socket
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return net.Listen("unix", filepath.Join(dir, "s"))
}

func TestOneServerServesSeveralListeners(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.Context().Value(http.LocalAddrContextKey).(net.Addr).String())
		})
		all := []*instance{s}
		unix := func() (net.Listener, error) { return listenUnix(t) }
		for _, listen := range []func() (net.Listener, error){listenOwn, listenNet, listenWrapped, unix} {
			l, err := listen()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, serve(s.Server, l))
		}
		var idle []*client
		for _, s := range all {
			c := s.dial(t)
			for range 3 {
				if got := c.get("/"); got != s.addr.String() {
					t.Errorf("served by %s, want %s", got, s.addr)
				}
				if got := s.once(t, "/"); got != s.addr.String() {
					t.Errorf("served by %s, want %s", got, s.addr)
				}
			}
			idle = append(idle, c)
		}
		s.await(t, "the end of the short connections", func(st recycling.Stats) bool {
			return st.Open == int64(len(all)) && st.Closed == 3*int64(len(all))
		})
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		for i, s := range all {
			s.ended(t, http.ErrServerClosed)
			idle[i].ended()
		}
	})
}

func TestRunEndsWithItsContextWhenEverythingIsDrained(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn, goroutineOwn}, func(t *testing.T, m mode) {
		g := newGate(t)
		addr := make(chan net.Addr, 1)
		s := recycling.New(http.HandlerFunc(g.serve), recycling.Addr("127.0.0.1:0"), func(s *recycling.Server) {
			s.Strategy = m.strategy
			s.HTTP.BaseContext = func(l net.Listener) context.Context {
				addr <- l.Addr()
				return context.Background()
			}
		})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		c := dialTo(t, receive(t, addr, "Run to listen"))
		c.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		cancel()
		select {
		case err := <-done:
			t.Fatalf("Run returned %v before the request was answered", err)
		case <-time.After(time.Millisecond):
		}
		g.open()
		if _, body := c.response(); body != "answer" {
			t.Errorf("answer %q", body)
		}
		if err := receive(t, done, "Run"); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunAbandonsWhatDoesNotDrain(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, poolOwn}, func(t *testing.T, m mode) {
		g := newGate(t)
		addr := make(chan net.Addr, 1)
		s := recycling.New(http.HandlerFunc(g.serve), recycling.Addr("127.0.0.1:0"), func(s *recycling.Server) {
			s.Strategy, s.DrainTimeout = m.strategy, time.Millisecond
			s.HTTP.BaseContext = func(l net.Listener) context.Context {
				addr <- l.Addr()
				return context.Background()
			}
		})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		dialTo(t, receive(t, addr, "Run to listen")).send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		cancel()
		err := receive(t, done, "Run")
		var abandon *recycling.AbandonError
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &abandon) || abandon.Workers != 1 {
			t.Errorf("Run returned %v", err)
		}
	})
}
