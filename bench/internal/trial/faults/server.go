package faults

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
	"github.com/recycling-go/recycling/listener"
)

// ServerArg is the first argument of the program when it must call [ServerMain].
const ServerArg = "fault"

// logPrefix is the prefix of each log message of a process.
const logPrefix = "fault-server: "

// notServing is the message of a process that exits because its server has stopped.
const notServing = "it does not serve any more"

// A service is the server in its process.
type service struct {
	setup    setup
	http     *http.Server
	ours     *recycling.Server // nil under net/http
	released chan struct{}     // closed by the command "release"
	release  func()
	slots    chan struct{} // for the limited handler

	mu       sync.Mutex // guards following
	events   map[string]int
	hooked   bool              // the hook has panicked or blocked
	open     map[net.Conn]bool // under net/http
	accepted int64
	closed   int64
	hijacked int64
}

// ServerMain is the main function of the server process; args do not include [ServerArg]. It prints
// the address that it listens on, replies to commands, a line each, and exits when its standard
// input ends.
func ServerMain(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("faults: a server has %d arguments, want 1", len(args))
	}
	s := &service{events: map[string]int{}, open: map[net.Conn]bool{}, released: make(chan struct{}), slots: make(chan struct{}, capacity)}
	if err := json.Unmarshal([]byte(args[0]), &s.setup); err != nil {
		return err
	}
	s.release = sync.OnceFunc(func() { close(s.released) })
	if err := s.configure(); err != nil {
		return err
	}
	l, err := s.listen()
	if err != nil {
		return err
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go s.commands(os.Stdin)
	fmt.Println(l.Addr())
	served := make(chan error, 1)
	go func() { served <- s.serve(l) }()
	select {
	case <-term:
		_, err := s.shutdown(patience)
		return err
	case err := <-served:
		if errors.Is(err, http.ErrServerClosed) {
			select {} // whoever closed it continues to send commands
		}
		return fmt.Errorf("%s: %w", notServing, err)
	}
}

// configure makes the server.
func (s *service) configure() error {
	var out io.Writer = os.Stderr
	if s.setup.BlockLog {
		out = blockedWriter{s.released}
	}
	s.http = &http.Server{
		Handler:           s.handler(),
		ErrorLog:          log.New(out, logPrefix, 0),
		ReadHeaderTimeout: s.setup.ReadHeader,
		WriteTimeout:      s.setup.Write,
		IdleTimeout:       s.setup.Idle,
	}
	if s.setup.TLS {
		cert, err := selfsigned.New()
		if err != nil {
			return err
		}
		s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	if !s.setup.Recycling || s.setup.HookPanics || s.setup.HookBlocks {
		s.http.ConnState = s.hook
	}
	if s.setup.Recycling {
		s.ours = &recycling.Server{
			HTTP:       s.http,
			Strategy:   recycling.Recycling,
			Limits:     recycling.Limits{MaxWorkers: s.setup.Workers, MaxQueue: s.setup.Queue, QueueWait: s.setup.QueueWait, MaxConns: s.setup.Conns, BodyTimeout: s.setup.Body},
			HealthPath: "/healthz",
		}
		if n := s.setup.Workers; n > 0 {
			s.ours.Standby = min(n, 2*runtime.GOMAXPROCS(0))
		}
	}
	return nil
}

func (s *service) serve(l net.Listener) error {
	type server interface {
		Serve(net.Listener) error
		ServeTLS(l net.Listener, certFile, keyFile string) error
	}
	srv := server(s.http)
	if s.ours != nil {
		srv = s.ours
	}
	switch {
	case s.setup.Listener == "tls":
		return srv.Serve(tls.NewListener(l, s.http.TLSConfig))
	case s.setup.TLS:
		return srv.ServeTLS(l, "", "")
	}
	return srv.Serve(l)
}

// shutdown shuts the server down. It also returns the error of Shutdown as text.
func (s *service) shutdown(limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var err error
	if s.ours != nil {
		err = s.ours.Shutdown(ctx)
	} else {
		err = s.http.Shutdown(ctx)
	}
	return fmt.Sprint(err), err
}

// hook is http.Server's ConnState. It counts connections for net/http, which does not count them
// itself.
func (s *service) hook(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	switch state {
	case http.StateNew:
		s.accepted++
		s.open[c] = true
	case http.StateClosed:
		s.closed++
		delete(s.open, c)
	case http.StateHijacked:
		s.hijacked++
		delete(s.open, c)
	}
	// The first connections belong to the start of the trial.
	first := state == http.StateActive && !s.hooked && s.events["armed"] > 0
	s.hooked = s.hooked || first
	s.mu.Unlock()
	if first && s.setup.HookPanics {
		panic("the hook's")
	}
	if first && s.setup.HookBlocks {
		<-s.released
	}
}

// seen counts an event.
func (s *service) seen(event string) {
	s.mu.Lock()
	s.events[event]++
	s.mu.Unlock()
}

// commands replies to each line of in with a line. It ends the process at the end of in.
func (s *service) commands(in io.Reader) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		name, arg, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "report":
			json.NewEncoder(os.Stdout).Encode(s.report())
			continue
		case "shutdown":
			limit, _ := time.ParseDuration(arg)
			text, _ := s.shutdown(limit)
			fmt.Println(text)
			continue
		case "release":
			s.release()
		case "arm":
			s.seen("armed")
		case "gc":
			for range 20 { // each collection halves a stack
				debug.FreeOSMemory()
			}
		}
		fmt.Println()
	}
	os.Exit(0)
}

func (s *service) report() report {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r := report{Goroutines: runtime.NumGoroutine(), Heap: m.HeapInuse, Stack: m.StackInuse, Events: map[string]int{}}
	s.mu.Lock()
	r.Accepted, r.Closed, r.Hijacked, r.Open = s.accepted, s.closed, s.hijacked, int64(len(s.open))
	for k, v := range s.events {
		r.Events[k] = v
	}
	s.mu.Unlock()
	if s.ours != nil {
		st := s.ours.Stats()
		r.Accepted, r.Closed, r.Hijacked, r.Open = st.Accepted, st.Closed, st.Hijacked, st.Open
		r.Workers, r.Standby, r.Busy = st.Workers, st.Standby, st.Busy
		r.Parked, r.Shed = st.Parked, st.Shed
	}
	return r
}

// A blockedWriter blocks until a channel is closed, and then drops what is written.
type blockedWriter struct{ until <-chan struct{} }

func (w blockedWriter) Write(b []byte) (int, error) {
	<-w.until
	return len(b), nil
}

// listen opens the listener that the setup names. The default of recycling is a listener of its
// own.
func (s *service) listen() (net.Listener, error) {
	address := s.setup.Address
	if address == "" {
		address = "127.0.0.1:0"
	}
	kind := s.setup.Listener
	if kind == "" && s.ours != nil {
		return listener.Listen(context.Background(), "tcp", address)
	}
	switch kind {
	case "", "net", "tls":
		return net.Listen("tcp", address)
	case "unix", "tcp6":
		return net.Listen(kind, address)
	case "wrapped":
		l, err := net.Listen("tcp", address)
		return wrappedListener{Listener: l}, err
	case "uncomparable":
		l, err := net.Listen("tcp", address)
		return wrappedListener{l, []int{1}}, err
	case "limited":
		l, err := net.Listen("tcp", address)
		return limitListener{l, make(chan struct{}, 8)}, err
	case "file":
		f := os.NewFile(3, "listener")
		defer f.Close()
		return net.FileListener(f)
	}
	return nil, fmt.Errorf("faults: there is no listener %q", kind)
}

// A wrappedListener hides the type of its connections. If mark is not nil, using the listener as a
// map key panics, as with any slice.
type wrappedListener struct {
	net.Listener
	mark []int
}

func (l wrappedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return struct{ net.Conn }{c}, nil
}

// A limitListener bounds the number of open connections, like that of x/net/netutil: it accepts
// another one when one is closed.
type limitListener struct {
	net.Listener
	room chan struct{}
}

func (l limitListener) Accept() (net.Conn, error) {
	l.room <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.room
		return nil, err
	}
	return &limitConn{Conn: c, leave: sync.OnceFunc(func() { <-l.room })}, nil
}

type limitConn struct {
	net.Conn
	leave func()
}

func (c *limitConn) Close() error {
	err := c.Conn.Close()
	c.leave()
	return err
}
