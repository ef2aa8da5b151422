package recyclingtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

var shutdowns = []behaviour{
	shutdownWaitsForTheResponse,
	shutdownWaitsForAStream,
	shutdownWaitsForAnUpload,
	shutdownWaitsForAllRequests,
	shutdownClosesIdleConnections,
	shutdownRefusesNewConnections,
	shutdownOfAnUnusedServerReturns,
	shutdownEndsServe,
	shutdownReturnsTheContextsError,
	shutdownMayBeCalledAgain,
	shutdownMayBeCalledAtTheSameTime,
	shutdownDoesNotEndContexts,
}

// busy starts a server whose handler of "/slow" waits for the gate. It returns once the handler
// waits, with the client that waits for the response.
func (t *test) busy(then http.HandlerFunc) (s *server, c *wire, g gate) {
	t.Helper()
	entered, g := make(chan bool, 1), t.newGate()
	s = t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/slow" {
			entered <- true
			<-g
			then(w, r)
			return
		}
		echoTarget(w, r)
	})
	c = s.dial(t)
	c.send(get("/slow"))
	receive(t, entered, "request")
	return s, c, g
}

// isRunning fails the test if Shutdown has returned.
func isRunning(t *test, shutdown <-chan error) {
	t.Helper()
	select {
	case err := <-shutdown:
		t.Fatalf("Shutdown returned with a request in flight: %v", err)
	default:
	}
}

// shutdownBegun is shutdown, but returns once an idle connection has been closed. From then on
// responses have "Connection: close". An http.Server under another server may close one listener a
// moment before the one that reports the shutdown.
func (s *server) shutdownBegun(t *test) <-chan error {
	t.Helper()
	idle := s.dial(t)
	idle.goesOn()
	down := s.shutdown(t)
	idle.ends()
	return down
}

// succeeds waits until Shutdown returns nil.
func succeeds(t *test, shutdown <-chan error) {
	t.Helper()
	if err := receive(t, shutdown, "end of Shutdown"); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func shutdownWaitsForTheResponse(t *test) {
	s, c, g := t.busy(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, big) })
	down := s.shutdownBegun(t)
	isRunning(t, down)
	g.open()
	if a := c.wants(200, big); !a.Close {
		t.Errorf("response has no Connection: close")
	}
	c.ends()
	succeeds(t, down)
}

func shutdownWaitsForAStream(t *test) {
	next := make(chan bool)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			io.WriteString(w, "part.")
			w.(http.Flusher).Flush()
			<-next
		}
	})
	defer close(next)
	c := s.dial(t)
	c.send(get("/"))
	c.head()
	c.bytes("5\r\npart.\r\n")
	down := s.shutdown(t)
	for range 2 {
		give(t, next, true)
		c.bytes("5\r\npart.\r\n")
		isRunning(t, down)
	}
	give(t, next, true)
	c.bytes("0\r\n\r\n")
	c.ends()
	succeeds(t, down)
}

func shutdownWaitsForAnUpload(t *test) {
	entered := make(chan bool, 1)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		echoBody(w, r)
	})
	c := s.dial(t)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
	receive(t, entered, "request")
	down := s.shutdown(t)
	isRunning(t, down)
	c.send("def")
	c.wants(200, "/ abcdef <nil>")
	c.ends()
	succeeds(t, down)
}

func shutdownWaitsForAllRequests(t *test) {
	const n = 50
	entered, g := make(chan bool, n), t.newGate()
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/slow" {
			entered <- true
			<-g
		}
		echoTarget(w, r)
	})
	var clients []*wire
	for range n {
		c := s.dial(t)
		c.send(get("/slow"))
		clients = append(clients, c)
	}
	for range n {
		receive(t, entered, "request")
	}
	down := s.shutdownBegun(t)
	isRunning(t, down)
	g.open()
	for _, c := range clients {
		if a := c.wants(200, "/slow"); !a.Close {
			t.Errorf("response has no Connection: close")
		}
		c.ends()
	}
	succeeds(t, down)
}

func shutdownClosesIdleConnections(t *test) {
	s := t.serve(echoTarget)
	var clients []*wire
	for range 20 {
		c := s.dial(t)
		c.goesOn()
		clients = append(clients, c)
	}
	down := s.shutdown(t)
	for _, c := range clients {
		c.ends()
	}
	succeeds(t, down)
}

func shutdownRefusesNewConnections(t *test) {
	s, c, g := t.busy(echoTarget)
	down := s.shutdown(t)
	s.refuses(t)
	isRunning(t, down)
	g.open()
	c.wants(200, "/slow")
	succeeds(t, down)
	s.refuses(t)
}

func shutdownOfAnUnusedServerReturns(t *test) {
	s := t.serve(echoTarget)
	succeeds(t, s.shutdown(t))
}

func shutdownEndsServe(t *test) {
	s, _, g := t.busy(echoTarget)
	down := s.shutdown(t)
	g.open()
	succeeds(t, down)
	if err := s.serveError(); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve returned %v, want ErrServerClosed", err)
	}
}

func shutdownReturnsTheContextsError(t *test) {
	ended := make(chan bool, 1)
	s, c, g := t.busy(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		ended <- true
	})
	g.open() // the handler continues until its context ends
	if err := s.shutdownWithin(t, 20*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v, want DeadlineExceeded", err)
	}
	if len(ended) != 0 {
		t.Errorf("Shutdown has ended the request's context")
	}
	s.close(t)
	receive(t, ended, "end of the request's context after Close")
	c.rest()
}

func shutdownMayBeCalledAgain(t *test) {
	s := t.serve(echoTarget)
	s.dial(t).goesOn()
	for range 3 {
		if err := s.shutdownWithin(t, patience); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	}
	s.close(t)
}

func shutdownMayBeCalledAtTheSameTime(t *test) {
	s, c, g := t.busy(echoTarget)
	first := s.shutdown(t)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := s.Shutdown(ctx); err != nil {
				t.T.Errorf("Shutdown: %v", err)
			}
		})
	}
	isRunning(t, first)
	g.open()
	c.wants(200, "/slow")
	succeeds(t, first)
	all.Wait()
}

func shutdownDoesNotEndContexts(t *test) {
	s, c, g := t.busy(func(w http.ResponseWriter, r *http.Request) {
		if err := r.Context().Err(); err != nil {
			io.WriteString(w, err.Error())
		}
	})
	down := s.shutdown(t)
	g.open()
	c.wants(200, "")
	succeeds(t, down)
}
