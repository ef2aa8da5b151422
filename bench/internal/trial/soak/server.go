package soak

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// ServerArg is the first argument of the program when it must call [ServerMain].
const ServerArg = "soak-server"

// Limits of the server in all trials.
const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 5 * time.Second
	standby       = 16 // the number of idle workers that are kept
)

// A setup has the parameters of the server process.
type setup struct {
	server  string
	slots   int           // concurrent requests to /work; zero means no limits at all
	hold    time.Duration // how long each of them takes
	queue   int           // MaxQueue
	wait    time.Duration // QueueWait
	patient bool          // no timeouts, and as many connections as the system allows
}

func (s setup) args() []string {
	return []string{ServerArg, "-server", s.server, "-slots", fmt.Sprint(s.slots), "-hold", s.hold.String(),
		"-queue", fmt.Sprint(s.queue), "-wait", s.wait.String(), fmt.Sprintf("-patient=%v", s.patient)}
}

// ServerMain is the main function of the server process; args are the arguments after [ServerArg].
// It prints its address, and exits when its standard input ends.
func ServerMain(args []string) error {
	var s setup
	f := flag.NewFlagSet(ServerArg, flag.ContinueOnError)
	f.SetOutput(io.Discard) // the error has the message
	f.StringVar(&s.server, "server", "recycling", "")
	f.IntVar(&s.slots, "slots", 0, "")
	f.DurationVar(&s.hold, "hold", 0, "")
	f.IntVar(&s.queue, "queue", 0, "")
	f.DurationVar(&s.wait, "wait", 0, "")
	f.BoolVar(&s.patient, "patient", false, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	go func() { // the parent is gone for any reason
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return s.serve()
}

func (s setup) serve() error {
	site := &site{slots: make(chan struct{}, max(s.slots, 1)), hold: s.hold}
	h := &http.Server{
		Handler:           site.routes(),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          log.New(io.Discard, "", 0), // handlers panic on purpose
	}
	if s.patient {
		h.ReadHeaderTimeout, h.IdleTimeout = -1, -1
	}
	if s.server == "net/http" {
		return s.netHTTP(h, site)
	}
	srv := &recycling.Server{HTTP: h, Strategy: recycling.Strategy(s.server), Standby: standby, HealthPath: "/stats"}
	if s.slots > 0 {
		srv.MaxWorkers, srv.Standby, srv.MaxQueue, srv.QueueWait = s.slots, min(s.slots, standby), s.queue, s.wait
	}
	if s.patient {
		srv.MaxConns = -1
	}
	if srv.Strategy == recycling.Fixed {
		srv.HealthPath = "" // strategy fixed does not support it
		if s.slots == 0 {
			srv.MaxWorkers = 4096 // each connection holds a worker
		}
	}
	l, err := listener.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return srv.Serve(l)
}

// netHTTP serves like an application that does not use this project. Its ConnState hook counts
// connections.
func (s setup) netHTTP(h *http.Server, site *site) error {
	var accepted, closed, hijacked atomic.Int64
	h.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			accepted.Add(1)
		case http.StateClosed:
			closed.Add(1)
		case http.StateHijacked:
			hijacked.Add(1)
		}
	}
	site.stats = func() recycling.Stats {
		st := recycling.Stats{Accepted: accepted.Load(), Closed: closed.Load(), Hijacked: hijacked.Load()}
		st.Open = st.Accepted - st.Closed - st.Hijacked
		return st
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return h.Serve(l)
}

// A state is what the server reports about itself at /stats. Wrong counts the requests in which a
// handler saw a part of another request.
type state struct {
	recycling.Stats
	Goroutines  int   `json:"goroutines"`
	Descriptors int   `json:"descriptors"` // open descriptors; -1 if not known
	RSS         int64 `json:"rss"`         // resident bytes; 0 if not known
	Heap        int64 `json:"heap"`        // bytes in use; only at /collect, after collections
	Inside      int64 `json:"inside"`      // handlers that have not returned
	Wrong       int64 `json:"wrong"`
}

func (s *site) state(w http.ResponseWriter, r *http.Request) {
	st := state{
		Goroutines: runtime.NumGoroutine(), Descriptors: descriptors(), RSS: resident(os.Getpid()),
		Inside: s.inside.Load(), Wrong: s.wrong.Load(),
	}
	if s.stats != nil {
		st.Stats = s.stats()
	} else {
		st.Stats = recycling.FromContext(r.Context()).Stats()
	}
	if r.URL.Path == "/collect" {
		runtime.GC()
		runtime.GC() // the second collection drops what pools kept
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		st.Heap = int64(m.HeapAlloc)
	}
	json.NewEncoder(w).Encode(st)
}
