package recyclingtest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
)

var abandons = []behaviour{
	closeEndsConnections,
	closeEndsSilentConnections,
	closeEndsContexts,
	closeEndsReadsAndWrites,
	closeEndsServe,
	closeFreesTheAddress,
	closeDuringShutdownEndsIt,
	closeMayBeCalledAgain,
	closeOfAnUnusedServerReturns,
}

func closeEndsConnections(t *test) {
	s, busy, g := t.busy(echoTarget)
	idle := s.dial(t)
	idle.goesOn()
	s.close(t)
	idle.ends()
	busy.ends()
	g.open()
}

// closeEndsSilentConnections does not hold for a listener that leaves silent connections in the
// kernel: see listener.Config.DeferAccept.
func closeEndsSilentConnections(t *test) {
	s := t.serve(echoTarget)
	silent := s.dial(t)
	s.dial(t).goesOn()
	s.close(t)
	silent.ends()
}

func closeEndsContexts(t *test) {
	ended := make(chan error, 1)
	s, c, g := t.busy(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		ended <- r.Context().Err()
	})
	g.open()
	s.close(t)
	if err := receive(t, ended, "end of the context"); !errors.Is(err, context.Canceled) {
		t.Errorf("context's error is %v, want Canceled", err)
	}
	c.rest()
}

func closeEndsReadsAndWrites(t *test) {
	entered, ended := make(chan bool, 2), make(chan error, 2)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		if r.Method == "POST" {
			_, err := io.ReadAll(r.Body)
			ended <- err
		} else {
			ended <- writeUntilItFails(w)
		}
	})
	s.dial(t).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
	s.dial(t).send(get("/"))
	receive(t, entered, "request")
	receive(t, entered, "request")
	s.close(t)
	for range 2 {
		if err := receive(t, ended, "end of the handler"); err == nil {
			t.Errorf("read or write has not failed")
		}
	}
}

func closeEndsServe(t *test) {
	s := t.serve(echoTarget)
	s.dial(t).goesOn()
	s.close(t)
	if err := s.serveError(); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve returned %v, want ErrServerClosed", err)
	}
}

func closeFreesTheAddress(t *test) {
	s := t.serve(echoTarget)
	s.dial(t).goesOn()
	s.close(t)
	var l net.Listener
	t.eventually("the address is free", func() bool { // another test may have got the port
		var err error
		l, err = net.Listen(s.Addr.Network(), s.Addr.String())
		return err == nil
	})
	l.Close()
}

func closeDuringShutdownEndsIt(t *test) {
	ended := make(chan bool, 1)
	s, _, g := t.busy(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		ended <- true
	})
	g.open()
	down := s.shutdown(t)
	isRunning(t, down)
	s.close(t)
	receive(t, ended, "end of the request's context")
	receive(t, down, "end of Shutdown")
}

func closeMayBeCalledAgain(t *test) {
	s, _, g := t.busy(echoTarget)
	s.close(t)
	s.close(t)
	g.open()
	s.close(t)
}

func closeOfAnUnusedServerReturns(t *test) {
	s := t.serve(echoTarget)
	s.close(t)
	s.serveError()
}
