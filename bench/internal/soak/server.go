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
)

// ServerArg is the program's first argument if it is to call [ServerMain].
const ServerArg = "soak-server"

// Limits of the server in all trials.
const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 5 * time.Second
	standby       = 16 // workers that are kept
)

// A setup is what the server process is told.
type setup struct {
	server  string
	slots   int           // of /work: so many are at work at the same time; zero means no limits at all
	hold    time.Duration // of /work: each for so long
	queue   int           // MaxQueue
	wait    time.Duration // QueueWait
	patient bool          // no timeouts, and as many connections as the system allows
}

func (s setup) args() []string {
	return []string{ServerArg, "-server", s.server, "-slots", fmt.Sprint(s.slots), "-hold", s.hold.String(),
		"-queue", fmt.Sprint(s.queue), "-wait", s.wait.String(), fmt.Sprintf("-patient=%v", s.patient)}
}

// ServerMain is the server process: args are those that follow [ServerArg]. It prints its address, and ends with its
// standard input.
func ServerMain(args []string) error {
	var s setup
	f := flag.NewFlagSet(ServerArg, flag.ContinueOnError)
	f.SetOutput(io.Discard) // the error says it all
	f.StringVar(&s.server, "server", "recycling", "")
	f.IntVar(&s.slots, "slots", 0, "")
	f.DurationVar(&s.hold, "hold", 0, "")
	f.IntVar(&s.queue, "queue", 0, "")
	f.DurationVar(&s.wait, "wait", 0, "")
	f.BoolVar(&s.patient, "patient", false, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	go func() { // the parent is gone, however that went
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
	if srv.Strategy == recycling.Pool {
		srv.HealthPath = "" // that strategy has none
		if s.slots == 0 {
			srv.MaxWorkers = 4096 // each keeps its connection
		}
	}
	h.Addr = "127.0.0.1:0"
	l, err := srv.Listen(context.Background())
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return srv.Serve(l)
}

// netHTTP serves as an application does that has never heard of this project. Its connections are counted by its hook.
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

// A state is what the server says of itself at /stats.
type state struct {
	recycling.Stats
	Goroutines  int   `json:"goroutines"`
	Descriptors int   `json:"descriptors"` // open ones; -1 where the system does not say
	RSS         int64 `json:"rss"`         // resident bytes; 0 where the system does not say
	Heap        int64 `json:"heap"`        // bytes in use, at /collect after collections
	Inside      int64 `json:"inside"`      // handlers that have not returned
	Wrong       int64 `json:"wrong"`       // requests that had a part of another one, as their handlers saw them
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
		runtime.GC() // what pools kept is dropped by the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		st.Heap = int64(m.HeapAlloc)
	}
	json.NewEncoder(w).Encode(st)
}
