package recycling_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// An http.Server that stays in charge behaves as it does without this package. Net/http is the
// control.

// A hosting is a way to make an http.Server recycle workers.
type hosting struct {
	name   string
	secure bool
	// use changes srv, and returns a function that serves a listener.
	use func(srv *http.Server, strategy recycling.Strategy) (serve func(net.Listener) error)
}

var hostings = []hosting{
	{"Use", false, func(srv *http.Server, strategy recycling.Strategy) func(net.Listener) error {
		recycling.Use(srv, func(s *recycling.Server) { s.Strategy = strategy })
		return srv.Serve
	}},
	{"Use with TLS", true, func(srv *http.Server, strategy recycling.Strategy) func(net.Listener) error {
		recycling.Use(srv, func(s *recycling.Server) { s.Strategy = strategy })
		return func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
	}},
	{"Listener", false, func(srv *http.Server, strategy recycling.Strategy) func(net.Listener) error {
		return serveUnder(srv, (&recycling.Server{HTTP: srv, Strategy: strategy}).Listener)
	}},
	{"Use with HTTP/2", false, func(srv *http.Server, strategy recycling.Strategy) func(net.Listener) error {
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetHTTP1(true)
		srv.Protocols.SetHTTP2(true)
		srv.Protocols.SetUnencryptedHTTP2(true)
		recycling.Use(srv, func(s *recycling.Server) { s.Strategy = strategy })
		return srv.Serve
	}},
	{"Listener over TLS", true, func(srv *http.Server, strategy recycling.Strategy) func(net.Listener) error {
		return serveUnder(srv, secureListener(&recycling.Server{HTTP: srv, Strategy: strategy}))
	}},
}

func serveUnder(srv *http.Server, listen func(net.Listener) (net.Listener, error)) func(net.Listener) error {
	var mu sync.Mutex
	return func(l net.Listener) error {
		mu.Lock()
		l, err := listen(l)
		mu.Unlock()
		if err != nil {
			return err
		}
		return srv.Serve(l)
	}
}

// forEachHosting runs f for every hosting with every kind of listener, in parallel.
func forEachHosting(t *testing.T, f func(t *testing.T, h hosting, m mode)) {
	for _, h := range hostings {
		modes := []mode{recyclingNet, recyclingOwn, recyclingWrapped, poolOwn, goroutineOwn}
		if h.secure {
			modes = []mode{recyclingNet, poolOwn, goroutineOwn} // handshakes are slow
		}
		for _, m := range modes {
			t.Run(h.name+"/"+m.name, func(t *testing.T) {
				t.Parallel()
				f(t, h, m)
			})
		}
	}
}

// A hosted is an http.Server that was started in the usual way.
type hosted struct {
	*http.Server
	hosting
	mode    mode
	addr    net.Addr
	socket  net.Listener
	log     *logBuffer
	serveOn func(net.Listener) error
	served  chan error

	// Of the handler of /events, which streams an event for each value sent here.
	events, ended chan bool
}

// start serves on a listener for the duration of the test.
func (h hosting) start(t *testing.T, m mode, set func(*http.Server)) *hosted {
	t.Helper()
	srv, log := logging()
	s := &hosted{Server: srv, hosting: h, mode: m, log: log, served: make(chan error, 1), events: make(chan bool), ended: make(chan bool, 10)}
	if h.secure {
		srv.TLSConfig = serverKeys(speaking("http/1.1"))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", hello)
	mux.HandleFunc("/events", s.stream)
	srv.Handler = mux
	if set != nil {
		set(srv)
	}
	s.serveOn = h.use(srv, m.strategy)
	s.addr, s.served = s.serve(t)
	return s
}

// serve serves on another listener.
func (s *hosted) serve(t *testing.T) (net.Addr, chan error) {
	t.Helper()
	l, err := s.mode.listen()
	if err != nil {
		t.Fatal(err)
	}
	s.socket = l
	served := make(chan error, 1)
	go func() { served <- s.serveOn(l) }()
	t.Cleanup(func() {
		s.Close()
		l.Close()
	})
	return l.Addr(), served
}

func (s *hosted) stream(w http.ResponseWriter, r *http.Request) {
	defer func() { s.ended <- true }()
	for n := 0; ; n++ {
		fmt.Fprintln(w, "event", n)
		w.(http.Flusher).Flush()
		select {
		case more := <-s.events:
			if !more {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

func (s *hosted) dial(t *testing.T, a net.Addr) *client {
	t.Helper()
	c := dialTo(t, a)
	if s.secure {
		c = c.shake().client
	}
	return c
}

// listen opens the stream of events, and returns a scanner of them.
func (s *hosted) listen(t *testing.T) *bufio.Scanner {
	t.Helper()
	c := s.dial(t, s.addr)
	c.send("GET /events HTTP/1.1\r\nHost: test\r\n\r\n")
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(res.Body)
	wantEvent(t, lines, 0)
	return lines
}

func wantEvent(t *testing.T, lines *bufio.Scanner, n int) {
	t.Helper()
	if want := fmt.Sprint("event ", n); !lines.Scan() || lines.Text() != want {
		t.Fatalf("read %q (%v), want %q", lines.Text(), lines.Err(), want)
	}
}

func (s *hosted) returned(t *testing.T) {
	t.Helper()
	if err := receive(t, s.served, "Serve"); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve returned %v, want %v", err, http.ErrServerClosed)
	}
}

// refused waits until no server listens at a. For a while another test may have the port.
func refused(t *testing.T, a net.Addr) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		nc, err := net.Dial(a.Network(), a.String())
		if err != nil {
			return
		}
		nc.Close()
		if time.Now().After(deadline) {
			t.Fatal("somebody listens still")
		}
	}
}

func (s *hosted) logsNothing(t *testing.T) {
	t.Helper()
	if log := s.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

func TestShutdownOfAHostHonoursItsContext(t *testing.T) {
	parallel(t)
	forEachHosting(t, func(t *testing.T, h hosting, m mode) {
		s := h.start(t, m, nil)
		lines := s.listen(t)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := s.Shutdown(ctx); err != context.DeadlineExceeded {
			t.Errorf("Shutdown returned %v, want %v", err, context.DeadlineExceeded)
		}
		s.returned(t)
		refused(t, s.addr)
		for n := range 3 { // the stream continues
			s.events <- true
			wantEvent(t, lines, n+1)
		}
		again := make(chan error, 1)
		go func() { again <- s.Shutdown(context.Background()) }()
		if err := s.Close(); err != nil {
			t.Errorf("Close returned %v", err)
		}
		receive(t, s.ended, "the end of the handler")
		if lines.Scan() {
			t.Errorf("after Close there is %q", lines.Text())
		}
		if err := receive(t, again, "the other Shutdown"); err != nil {
			t.Errorf("the other Shutdown returned %v", err)
		}
		s.logsNothing(t)
	})
}

func TestShutdownOfAHostWaitsForAStream(t *testing.T) {
	parallel(t)
	forEachHosting(t, func(t *testing.T, h hosting, m mode) {
		s := h.start(t, m, nil)
		lines := s.listen(t)
		idle := s.dial(t, s.addr)
		idle.get("/")
		shut := make(chan error, 1)
		go func() { shut <- s.Shutdown(context.Background()) }()
		s.returned(t)
		idle.ended()
		s.events <- true
		wantEvent(t, lines, 1)
		select {
		case err := <-shut:
			t.Fatalf("Shutdown returned %v before the end of the stream", err)
		default:
		}
		s.events <- false
		if err := receive(t, shut, "Shutdown"); err != nil {
			t.Errorf("Shutdown returned %v", err)
		}
		if lines.Scan() || lines.Err() != nil {
			t.Errorf("after the last event there is %q (%v)", lines.Text(), lines.Err())
		}
		s.logsNothing(t)
	})
}

func TestCloseOfAHostEndsStreams(t *testing.T) {
	parallel(t)
	forEachHosting(t, func(t *testing.T, h hosting, m mode) {
		s := h.start(t, m, nil)
		lines := s.listen(t)
		if err := s.Close(); err != nil {
			t.Errorf("Close returned %v", err)
		}
		s.returned(t)
		receive(t, s.ended, "the end of the handler")
		if lines.Scan() {
			t.Errorf("after Close there is %q", lines.Text())
		}
		s.logsNothing(t)
	})
}

// TestIdleHostIsShutDownAtOnce uses a context that has already ended. A busy machine may be too
// slow, but not every time.
func TestIdleHostIsShutDownAtOnce(t *testing.T) {
	parallel(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	forEachHosting(t, func(t *testing.T, h hosting, m mode) {
		var err error
		for range 20 {
			s := h.start(t, m, nil)
			s.dial(t, s.addr).get("/")
			s.dial(t, s.addr).get("/")
			err = s.Shutdown(ctx)
			s.returned(t)
			if err == nil {
				return
			}
		}
		t.Errorf("Shutdown returned %v", err)
	})
}

// TestHostFreesItsAddress does not run beside other tests: see TestCloseFreesTheAddress.
func TestHostFreesItsAddress(t *testing.T) {
	for name, end := range map[string]func(*hosted) error{
		"Close":          func(s *hosted) error { return s.Close() },
		"Shutdown":       func(s *hosted) error { return s.Shutdown(context.Background()) },
		"Listener.Close": func(s *hosted) error { return s.socket.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			forEachHosting(t, func(t *testing.T, h hosting, m mode) {
				for range 2 {
					s := h.start(t, m, nil)
					s.dial(t, s.addr).get("/")
					if err := end(s); err != nil {
						t.Errorf("%s returned %v", name, err)
					}
					l, err := net.Listen("tcp", s.addr.String())
					if err != nil {
						t.Fatal(err)
					}
					l.Close()
					if err := receive(t, s.served, "Serve"); err == nil {
						t.Error("Serve returned nil")
					}
				}
			})
		})
	}
}

// TestHooksAreReplacedBeforeAnythingIsServed has net/http serve one listener while this package
// begins to serve another. It is for the race detector.
func TestHooksAreReplacedBeforeAnythingIsServed(t *testing.T) {
	srv := quiet()
	srv.Handler = http.HandlerFunc(hello)
	s := &recycling.Server{HTTP: srv}
	t.Cleanup(func() { end(t, s) })
	own, err := listenNet()
	if err != nil {
		t.Fatal(err)
	}
	l, err := listenNet()
	if err != nil {
		t.Fatal(err)
	}
	recycled, err := s.Listener(l)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	served := make(chan error, 2)
	for _, l := range []net.Listener{own, recycled} {
		go func() { served <- srv.Serve(l) }()
		if got := fetch(t, client, "http://"+l.Addr().String()); got != "hello" {
			t.Errorf("answer %q", got)
		}
	}
	if err := srv.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	for range 2 {
		receive(t, served, "Serve")
	}
}
