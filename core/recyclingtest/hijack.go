package recyclingtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing/iotest"
	"time"
)

var hijacks = []behaviour{
	hijackedConnectionIsUsable,
	hijackedTCPConnectionIsATCPConn,
	hijackHandsOverBufferedBytesOnce,
	hijackHandsOverAnUnreadBody,
	hijackHandsOverBytesSentWhileTheHandlerRan,
	hijackClearsDeadlines,
	hijackSendsWhatWasFlushed,
	hijackMayBeLeftToAnotherGoroutine,
	secondHijackFails,
	writeAfterHijackFails,
	hijackAfterTheHandlerPanics,
	hijackSurvivesShutdownAndClose,
	hijackEndsTheContextWithTheHandler,
	hijackedConnectionIsNotClosedByAPanic,
	manyConnectionsMayBeHijacked,
	hijackSendsNoContinue,
	hijackDropsWhatWasNotFlushed,
	hijackInFrontOfPipelinedRequestsServesNoneOfThem,
}

// hijacked starts a server that hijacks every connection and calls f with it.
func (t *test) hijacked(srv *http.Server, f func(net.Conn, *bufio.ReadWriter, *http.Request)) *server {
	t.Helper()
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, ok := w.(http.Hijacker)
		if !ok {
			http.Error(w, "no http.Hijacker", 500)
			return
		}
		c, rw, err := h.Hijack()
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		f(c, rw, r)
	})
	return t.start(srv)
}

func hijackedConnectionIsUsable(t *test) {
	s := t.hijacked(&http.Server{}, func(c net.Conn, rw *bufio.ReadWriter, r *http.Request) {
		defer c.Close()
		rw.WriteString("hello\n")
		rw.Flush()
		line, err := rw.ReadString('\n')
		fmt.Fprint(c, "you said ", line, err)
	})
	c := s.dial(t)
	c.send(get("/"))
	c.bytes("hello\n")
	c.send("hi\n")
	c.bytes("you said hi\n<nil>")
	c.ends()
	s.log.isEmpty(t)
}

func hijackedTCPConnectionIsATCPConn(t *test) {
	conns := make(chan net.Conn, 1)
	s := t.hijacked(&http.Server{}, func(c net.Conn, _ *bufio.ReadWriter, r *http.Request) { conns <- c })
	c := s.dial(t)
	c.send(get("/"))
	server := receive(t, conns, "connection")
	defer server.Close()
	if want := fmt.Sprintf("%T", c.Conn); fmt.Sprintf("%T", server) != want {
		t.Errorf("hijacked connection is a %T, want %s", server, want)
	}
	if server.LocalAddr().String() != c.RemoteAddr().String() || server.RemoteAddr().String() != c.LocalAddr().String() {
		t.Errorf("addresses are %v, %v", server.LocalAddr(), server.RemoteAddr())
	}
}

func hijackHandsOverBufferedBytesOnce(t *test) {
	s := t.hijacked(&http.Server{}, func(c net.Conn, rw *bufio.ReadWriter, r *http.Request) {
		defer c.Close()
		all, err := io.ReadAll(rw)
		fmt.Fprintf(c, "%s %v", all, err)
	})
	for _, n := range []int{0, 1, 10, 3000, 10_000} {
		c := s.dial(t)
		c.send(get("/") + pattern(n))
		c.send("+more")
		c.halfClose()
		if got, want := c.rest(), pattern(n)+"+more <nil>"; got != want {
			t.Errorf("%d bytes behind the request: received %.100q", n, got)
		}
	}
}

func hijackHandsOverAnUnreadBody(t *test) {
	s := t.hijacked(&http.Server{}, func(c net.Conn, rw *bufio.ReadWriter, r *http.Request) {
		defer c.Close()
		all, err := io.ReadAll(rw)
		fmt.Fprintf(c, "%s %v", all, err)
	})
	c := s.dial(t)
	c.send(post("/", "body") + "+more")
	c.halfClose()
	if got := c.rest(); got != "body+more <nil>" {
		t.Errorf("received %q", got)
	}
}

func hijackHandsOverBytesSentWhileTheHandlerRan(t *test) {
	entered, hijack := make(chan bool), make(chan bool)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/other" {
			return
		}
		io.Copy(io.Discard, r.Body)
		entered <- true
		<-hijack
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		var rest io.Reader = rw
		if r.RequestURI == "/conn" { // unbuffered bytes are still to be read from the connection
			rest = io.MultiReader(io.LimitReader(rw, int64(rw.Reader.Buffered())), c)
		}
		all, err := io.ReadAll(iotest.OneByteReader(rest))
		fmt.Fprintf(c, "%s %v", all, err)
	})
	defer close(hijack)
	for _, raw := range []string{get("/"), post("/", "body"), get("/conn"), post("/conn", "body")} {
		c, other := s.dial(t), s.dial(t)
		c.send(raw)
		receive(t, entered, "request")
		c.send("one")
		for range 20 {
			other.exchange(get("/other")) // gives the server time to read what was sent
		}
		c.send(" two")
		give(t, hijack, true)
		c.send(" three")
		c.halfClose()
		if got := c.rest(); got != "one two three <nil>" {
			t.Errorf("received %q", got)
		}
	}
}

func hijackClearsDeadlines(t *test) {
	t.escalate(func(t *test, d time.Duration) {
		entered := make(chan bool, 1)
		s := t.hijacked(&http.Server{ReadTimeout: d, WriteTimeout: d, ReadHeaderTimeout: d, IdleTimeout: d},
			func(c net.Conn, rw *bufio.ReadWriter, r *http.Request) {
				defer c.Close()
				entered <- true
				line, err := rw.ReadString('\n')
				_, err2 := io.WriteString(c, line)
				fmt.Fprint(c, err, err2)
			})
		c := s.dial(t)
		c.send(post("/", "body"))
		receive(t, entered, "request")
		time.Sleep(2 * d)
		c.send("line\n")
		c.bytes("bodyline\n<nil> <nil>")
	})
}

func hijackSendsWhatWasFlushed(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "body")
		w.(http.Flusher).Flush()
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		io.WriteString(c, "raw")
		c.Close()
	}).dial(t)
	c.send(get("/"))
	c.head()
	if got := c.rest(); got != "4\r\nbody\r\nraw" {
		t.Errorf("received %q", got)
	}
}

func hijackMayBeLeftToAnotherGoroutine(t *test) {
	s := t.hijacked(&http.Server{}, func(c net.Conn, rw *bufio.ReadWriter, r *http.Request) {
		go func() {
			defer c.Close()
			io.Copy(c, rw)
		}()
	})
	c := s.dial(t)
	c.send(get("/") + "early ")
	c.bytes("early ")
	s.dial(t).send(get("/"))
	c.send("late")
	c.bytes("late")
}

func secondHijackFails(t *test) {
	result := make(chan error, 1)
	t.serve(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			defer c.Close()
			_, _, err = w.(http.Hijacker).Hijack()
		}
		result <- err
	}).dial(t).send(get("/"))
	if err := receive(t, result, "result of Hijack"); !errors.Is(err, http.ErrHijacked) {
		t.Errorf("second Hijack: %v, want ErrHijacked", err)
	}
}

func writeAfterHijackFails(t *test) {
	result := make(chan error, 2)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			result <- err
			result <- err
			return
		}
		defer c.Close()
		_, err = io.WriteString(w, "not sent")
		result <- err
		_, err = w.Write(nil)
		result <- err
		w.WriteHeader(500)
	})
	c := s.dial(t)
	c.send(get("/"))
	c.ends()
	for range 2 {
		if err := receive(t, result, "result of Write"); !errors.Is(err, http.ErrHijacked) {
			t.Errorf("Write after Hijack: %v, want ErrHijacked", err)
		}
	}
	s.log.wants(t, "http: response.Write on hijacked connection from ", "http: response.WriteHeader on hijacked connection from ")
}

func hijackAfterTheHandlerPanics(t *test) {
	writer := make(chan http.ResponseWriter, 9)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) { writer <- w }).dial(t)
	c.exchange(get("/"))
	w := receive(t, writer, "request")
	c.exchange(get("/")) // the first request has certainly ended then
	defer func() {
		if v := recover(); v == nil {
			t.Errorf("Hijack after the handler has not panicked")
		}
		c.goesOn()
	}()
	w.(http.Hijacker).Hijack()
}

func hijackSurvivesShutdownAndClose(t *test) {
	s := t.hijacked(&http.Server{}, func(c net.Conn, rw *bufio.ReadWriter, r *http.Request) {
		go func() {
			defer c.Close()
			io.Copy(c, rw)
		}()
	})
	c := s.dial(t)
	c.send(get("/") + "a")
	c.bytes("a")
	if err := s.shutdownWithin(t, patience); err != nil {
		t.Errorf("Shutdown with a hijacked connection: %v", err)
	}
	c.send("b")
	c.bytes("b")
	s.close(t)
	c.send("c")
	c.bytes("c")
}

func hijackEndsTheContextWithTheHandler(t *test) {
	during, after := make(chan error, 1), make(chan context.Context, 1)
	s := t.hijacked(&http.Server{}, func(c net.Conn, rw *bufio.ReadWriter, r *http.Request) {
		defer c.Close()
		rw.ReadByte()
		during <- r.Context().Err()
		after <- r.Context()
	})
	c := s.dial(t)
	c.send(get("/"))
	c.send("x")
	if err := receive(t, during, "request"); err != nil {
		t.Errorf("context ended while the handler ran: %v", err)
	}
	receive(t, receive(t, after, "request").Done(), "end of the context")
}

func hijackedConnectionIsNotClosedByAPanic(t *test) {
	s := t.hijacked(&http.Server{}, func(c net.Conn, rw *bufio.ReadWriter, r *http.Request) {
		go func() {
			defer c.Close()
			io.Copy(c, rw)
		}()
		panic("boom")
	})
	c := s.dial(t)
	c.send(get("/"))
	s.log.wants(t, "http: panic serving", "boom")
	c.send("still there")
	c.bytes("still there")
}

func manyConnectionsMayBeHijacked(t *test) {
	s := t.hijacked(&http.Server{}, func(c net.Conn, rw *bufio.ReadWriter, r *http.Request) {
		defer c.Close()
		io.Copy(c, rw)
	})
	var clients []*wire
	for i := range 100 {
		c := s.dial(t)
		c.send(get("/") + fmt.Sprint("one ", i))
		clients = append(clients, c)
	}
	for i, c := range clients {
		c.bytes(fmt.Sprint("one ", i))
		c.send(fmt.Sprint("two ", i))
	}
	for i, c := range clients {
		c.bytes(fmt.Sprint("two ", i))
		c.halfClose()
		c.ends()
	}
}

func hijackSendsNoContinue(t *test) {
	s := t.hijacked(&http.Server{}, func(c net.Conn, rw *bufio.ReadWriter, r *http.Request) {
		defer c.Close()
		body := make([]byte, 3)
		_, err := io.ReadFull(rw, body)
		fmt.Fprintf(c, "%s %v", body, err)
	})
	c := s.dial(t)
	c.send(expecting + "abc")
	if got := c.rest(); got != "abc <nil>" {
		t.Errorf("received %q", got)
	}
}

// hijackDropsWhatWasNotFlushed: the handler owns the connection now, with nothing written to it.
func hijackDropsWhatWasNotFlushed(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Never", "seen")
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			io.WriteString(c, "raw")
			c.Close()
		}
	}).dial(t)
	c.send(get("/"))
	if got := c.rest(); got != "raw" {
		t.Errorf("received %q", got)
	}
}

func hijackInFrontOfPipelinedRequestsServesNoneOfThem(t *test) {
	served := make(chan string, 9)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		served <- r.RequestURI
		if c, rw, err := w.(http.Hijacker).Hijack(); err == nil {
			defer c.Close()
			line, _ := rw.ReadString('\n')
			io.WriteString(c, line)
		}
	})
	c := s.dial(t)
	c.send(get("/1") + get("/2") + get("/3"))
	if got := c.rest(); got != "GET /2 HTTP/1.1\r\n" {
		t.Errorf("received %q", got)
	}
	s.end()
	if len(served) != 1 {
		t.Errorf("%d requests reached the handler", len(served))
	}
}
