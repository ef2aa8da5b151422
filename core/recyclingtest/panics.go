package recyclingtest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
)

var panics = []behaviour{
	panicEndsTheConnectionWithoutResponse,
	panicDropsWhatWasNotFlushed,
	panicCutsAChunkedResponse,
	panicCutsAResponseOfKnownLength,
	panicIsLogged,
	panicWithNilIsLogged,
	abortHandlerIsNotLogged,
	panicEndsTheContext,
	goexitEndsTheConnection,
	lockedThreadsAreNoTrouble,
	panicsDisturbNobody,
	panicSendsWhatWasTooLongToBuffer,
	panicOfAWrappedHandlerEndsTheConnection,
}

func panicEndsTheConnectionWithoutResponse(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) { panic("boom") })
	for _, raw := range []string{get("/"), post("/", "body"), chunked("/", "body"), get("/") + get("/")} {
		c := s.dial(t)
		c.send(raw)
		c.ends()
	}
}

func panicDropsWhatWasNotFlushed(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(200)
		io.WriteString(w, "never seen")
		panic("boom")
	}).dial(t)
	c.send(get("/"))
	c.ends()
}

func panicCutsAChunkedResponse(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "seen")
		w.(http.Flusher).Flush()
		panic("boom")
	}).dial(t)
	if a := c.exchange(get("/")); a.text != "seen" || !errors.Is(a.err, io.ErrUnexpectedEOF) {
		t.Errorf("body is %q, %v; want a cut", a.text, a.err)
	}
}

func panicCutsAResponseOfKnownLength(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "seen")
		w.(http.Flusher).Flush()
		panic("boom")
	}).dial(t)
	if a := c.exchange(get("/")); a.text != "seen" || !errors.Is(a.err, io.ErrUnexpectedEOF) {
		t.Errorf("body is %q, %v; want a cut", a.text, a.err)
	}
}

func panicIsLogged(t *test) {
	t.needHooks()
	s := t.serve(func(w http.ResponseWriter, r *http.Request) { panic(errors.New("boom: " + r.RequestURI)) })
	for _, target := range []string{"/1", "/2"} {
		c := s.dial(t)
		peer := c.LocalAddr().String()
		c.send(get(target))
		c.ends()
		if c.LocalAddr().Network() != "tcp" {
			peer = "" // a Unix client has no address
		}
		s.log.wants(t, fmt.Sprintf("http: panic serving %s", peer), ": boom: "+target+"\ngoroutine ", "recyclingtest.panicIsLogged")
	}
	if n := strings.Count(s.log.String(), "http: panic serving"); n != 2 {
		t.Errorf("logged %d times, want 2:\n%s", n, s.log)
	}
}

func panicWithNilIsLogged(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) { panic(nil) })
	c := s.dial(t)
	c.send(get("/"))
	c.ends()
	s.log.wants(t, "panic called with nil argument")
}

func abortHandlerIsNotLogged(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "seen")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	c := s.dial(t)
	if a := c.exchange(get("/")); a.text != "seen" || !errors.Is(a.err, io.ErrUnexpectedEOF) {
		t.Errorf("body is %q, %v; want a cut", a.text, a.err)
	}
	s.log.isEmpty(t)
}

func panicEndsTheContext(t *test) {
	ended := make(chan (<-chan struct{}), 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		ended <- r.Context().Done()
		panic(http.ErrAbortHandler)
	}).dial(t)
	c.send(get("/"))
	receive(t, receive(t, ended, "request"), "end of the context")
}

func goexitEndsTheConnection(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/goexit" {
			io.WriteString(w, "dropped")
			runtime.Goexit()
		}
	})
	for range 100 {
		c := s.dial(t)
		c.exchange(get("/"))
		c.send(get("/goexit") + get("/"))
		c.ends()
	}
	s.dial(t).goesOn()
	s.log.isEmpty(t)
}

func lockedThreadsAreNoTrouble(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/lock" {
			runtime.LockOSThread() // never unlocked
		}
		echoTarget(w, r)
	})
	for range 30 {
		c := s.dial(t)
		c.send(get("/lock") + get("/1") + get("/lock") + get("/2"))
		for _, want := range []string{"/lock", "/1", "/lock", "/2"} {
			c.wants(200, want)
		}
		c.Close()
	}
}

// panicsDisturbNobody runs clients whose handlers end in all possible ways, next to clients that
// must not be affected.
func panicsDisturbNobody(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		switch r.RequestURI {
		case "/panic":
			panic(http.ErrAbortHandler)
		case "/late":
			io.WriteString(w, big)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/goexit":
			runtime.Goexit()
		case "/lock":
			runtime.LockOSThread()
		}
		echoBody(w, r)
	})
	var all sync.WaitGroup
	bad := make(chan string, 100)
	for i, target := range []string{"/panic", "/late", "/goexit", "/lock"} {
		all.Go(func() {
			for range 25 {
				c, err := s.connect()
				if err != nil {
					bad <- err.Error()
					return
				}
				io.WriteString(c, post(target, "abc"))
				io.Copy(io.Discard, io.LimitReader(c, 10))
				c.Close()
			}
		})
		all.Go(func() {
			c, err := s.connect()
			if err != nil {
				bad <- err.Error()
				return
			}
			defer c.Close()
			want := fmt.Sprintf("/ok canary %d <nil>", i)
			for range 100 {
				if got, err := c.roundTrip(post("/ok", fmt.Sprint("canary ", i))); got != want {
					bad <- fmt.Sprintf("%q, %v; want %q", got, err, want)
					return
				}
			}
		})
	}
	all.Wait()
	close(bad)
	for s := range bad {
		t.Errorf("%s", s)
	}
}

// panicSendsWhatWasTooLongToBuffer: those bytes have been passed on, and may already have been
// sent.
func panicSendsWhatWasTooLongToBuffer(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, big)
		panic(http.ErrAbortHandler)
	})
	least := len(big) - 2048 // 2048 bytes may still be in the buffer
	if a := s.dial(t).exchange(get("/")); len(a.text) < least || !strings.HasPrefix(big, a.text) || !errors.Is(a.err, io.ErrUnexpectedEOF) {
		t.Errorf("body of %d bytes, %v; want %d bytes and a cut", len(a.text), a.err, least)
	}
	c := s.dial(t)
	c.send("GET / HTTP/1.0\r\n\r\n")
	c.head()
	if got := c.rest(); len(got) < least || !strings.HasPrefix(big, got) {
		t.Errorf("HTTP/1.0: body of %d bytes, want %d", len(got), least)
	}
}

func panicOfAWrappedHandlerEndsTheConnection(t *test) {
	h := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "never seen")
		panic(http.ErrAbortHandler)
	}), patience, "")
	s := t.start(&http.Server{Handler: http.MaxBytesHandler(h, 10)})
	for range 3 {
		c := s.dial(t)
		c.send(get("/") + get("/"))
		c.ends()
	}
	s.log.isEmpty(t)
}
