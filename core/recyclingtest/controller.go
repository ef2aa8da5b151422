package recyclingtest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

var controllers = []behaviour{
	readDeadlineEndsABodyRead,
	readDeadlineMayBeMoved,
	readDeadlineIsNotInheritedByTheNextRequest,
	writeDeadlineEndsAWrite,
	writeDeadlineIsNotInheritedByTheNextRequest,
	fullDuplexLetsTheHandlerReadAfterWriting,
	fullDuplexConnectionIsReused,
	fullDuplexNeverTakesABodyForARequest,
	controllerFlushes,
	controllerWorksThroughUnwrap,
	controllerReportsWhatIsNotSupported,
	controllerPrefersTheOutermostMethod,
	controllerReportsAFailedFlush,
	controllerMovesDeadlinesFromOtherGoroutines,
	responseWriterIsNoPusher,
}

func readDeadlineEndsABodyRead(t *test) {
	for name, partly := range map[string]string{
		"fixed":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
		"chunked": chunkedHead + inChunks("abc") + "6\r\n",
	} {
		t.each(name, func(t *test) {
			result := make(chan error, 2)
			c := t.serve(func(w http.ResponseWriter, r *http.Request) {
				result <- http.NewResponseController(w).SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				_, err := io.Copy(io.Discard, r.Body)
				result <- err
				io.WriteString(w, "too slow")
			}).dial(t)
			c.send(partly)
			if err := receive(t, result, "result of SetReadDeadline"); err != nil {
				t.Fatalf("SetReadDeadline: %v", err)
			}
			if err := receive(t, result, "result of reading the body"); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("reading the body: %v, want ErrDeadlineExceeded", err)
			}
			if a := c.answer("POST"); a.text != "too slow" || !a.Close {
				t.Errorf("response is %q, Connection: close %v", a.text, a.Close)
			}
			c.ends()
		})
	}
}

func readDeadlineMayBeMoved(t *test) {
	entered := make(chan bool, 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		for _, deadline := range []time.Time{time.Now().Add(time.Hour), time.Now().Add(patience), {}} {
			if err := rc.SetReadDeadline(deadline); err != nil {
				http.Error(w, err.Error(), 500)
			}
		}
		entered <- true
		echoBody(w, r)
	}).dial(t)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
	receive(t, entered, "request")
	c.send("bc")
	c.wants(200, "/ abc <nil>")
	c.goesOn()
}

func readDeadlineIsNotInheritedByTheNextRequest(t *test) {
	t.escalate(func(t *test, d time.Duration) {
		c := t.serve(func(w http.ResponseWriter, r *http.Request) {
			if r.RequestURI == "/deadline" {
				http.NewResponseController(w).SetReadDeadline(time.Now().Add(d))
			}
			echoBody(w, r)
		}).dial(t)
		c.send(post("/deadline", "abc"))
		c.wants(200, "/deadline abc <nil>")
		time.Sleep(2 * d)
		c.send(post("/none", "abc"))
		c.wants(200, "/none abc <nil>")
	})
}

// writeUntilItFails writes to a client that does not read, until that fails.
func writeUntilItFails(w io.Writer) error {
	for block := make([]byte, 64<<10); ; {
		if _, err := w.Write(block); err != nil {
			return err
		}
	}
}

func writeDeadlineEndsAWrite(t *test) {
	result := make(chan error, 3)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/fast" {
			return
		}
		result <- http.NewResponseController(w).SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		result <- writeUntilItFails(w)
		result <- r.Context().Err()
	})
	s.dial(t).send(get("/slow"))
	if err := receive(t, result, "result of SetWriteDeadline"); err != nil {
		t.Fatalf("SetWriteDeadline: %v", err)
	}
	if err := receive(t, result, "failing write"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write: %v, want ErrDeadlineExceeded", err)
	}
	if err := receive(t, result, "context's error"); err == nil {
		t.Errorf("context has not ended with the failing write")
	}
	s.dial(t).exchange(get("/fast"))
}

func writeDeadlineIsNotInheritedByTheNextRequest(t *test) {
	t.escalate(func(t *test, d time.Duration) {
		c := t.serve(func(w http.ResponseWriter, r *http.Request) {
			if r.RequestURI == "/deadline" {
				http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
			}
			echoTarget(w, r)
		}).dial(t)
		c.send(get("/deadline"))
		c.wants(200, "/deadline")
		time.Sleep(2 * d)
		c.send(get("/none"))
		c.wants(200, "/none")
	})
}

// fullDuplexEcho sends back each line of the body as it arrives.
func fullDuplexEcho(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	if err := rc.EnableFullDuplex(); err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	rc.Flush()
	for p := make([]byte, 100); ; {
		n, err := r.Body.Read(p)
		w.Write(p[:n])
		rc.Flush()
		if err != nil {
			return
		}
	}
}

func fullDuplexLetsTheHandlerReadAfterWriting(t *test) {
	c := t.serve(fullDuplexEcho).dial(t)
	c.send(chunkedHead)
	c.head()
	for i := range 5 {
		c.send(inChunks(fmt.Sprint("line ", i)))
		c.bytes(inChunks(fmt.Sprint("line ", i)))
	}
	c.send("0\r\n\r\n")
	c.bytes("0\r\n\r\n")
}

func fullDuplexConnectionIsReused(t *test) {
	c := t.serve(fullDuplexEcho).dial(t)
	for range 3 {
		c.send(chunked("/", "abc"))
		c.wants(200, "abc")
		c.send(post("/", "def"))
		c.wants(200, "def")
	}
}

// fullDuplexNeverTakesABodyForARequest is all that can be tested for an unread body: net/http
// drains it after the response, and then panics, because at the end of the body it has already
// begun to wait for the next request.
func fullDuplexNeverTakesABodyForARequest(t *test) {
	targets := make(chan string, 9)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		targets <- r.RequestURI
		http.NewResponseController(w).EnableFullDuplex()
		echoTarget(w, r)
	})
	for _, raw := range []string{post("/", get("/smuggled")), post("/", strings.Repeat(get("/smuggled"), 10_000))} {
		c := s.dial(t)
		c.sendBeside(raw)
		c.wants(200, "/")
		c.halfClose()
		c.rest()
		for receive(t, targets, "request"); len(targets) > 0; {
			t.Errorf("a request %s was taken from the body", <-targets)
		}
	}
}

func controllerFlushes(t *test) {
	g, result := t.newGate(), make(chan error, 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first")
		result <- http.NewResponseController(w).Flush()
		<-g
	}).dial(t)
	c.send(get("/"))
	if err := receive(t, result, "result of Flush"); err != nil {
		t.Errorf("Flush: %v", err)
	}
	c.head()
	c.bytes("5\r\nfirst\r\n")
	g.open()
	c.bytes("0\r\n\r\n")
}

// A wrapper is the ResponseWriter of a middleware, without any other methods.
type wrapper struct{ w http.ResponseWriter }

func (w wrapper) Header() http.Header         { return w.w.Header() }
func (w wrapper) Write(p []byte) (int, error) { return w.w.Write(p) }
func (w wrapper) WriteHeader(code int)        { w.w.WriteHeader(code) }

// An unwrapper is a wrapper with an Unwrap method.
type unwrapper struct{ wrapper }

func (w unwrapper) Unwrap() http.ResponseWriter { return w.w }

// useController calls all methods of w's ResponseController and returns their errors.
func useController(w http.ResponseWriter) []error {
	rc := http.NewResponseController(w)
	soon := time.Now().Add(patience)
	errs := []error{rc.SetReadDeadline(soon), rc.SetWriteDeadline(soon), rc.EnableFullDuplex(), rc.Flush()}
	c, _, err := rc.Hijack()
	if err == nil {
		c.Close()
	}
	return append(errs, err)
}

func controllerWorksThroughUnwrap(t *test) {
	result := make(chan []error, 1)
	t.serve(func(w http.ResponseWriter, r *http.Request) {
		result <- useController(unwrapper{wrapper{unwrapper{wrapper{w}}}})
	}).dial(t).send(get("/"))
	for i, err := range receive(t, result, "result") {
		if err != nil {
			t.Errorf("method %d: %v", i, err)
		}
	}
}

func controllerReportsWhatIsNotSupported(t *test) {
	result := make(chan []error, 1)
	t.serve(func(w http.ResponseWriter, r *http.Request) {
		result <- useController(wrapper{w})
	}).dial(t).send(get("/"))
	for i, err := range receive(t, result, "result") {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("method %d: %v, want ErrUnsupported", i, err)
		}
	}
}

// A counter is a wrapper that implements Flush, and counts the calls.
type counter struct {
	unwrapper
	flushes *int
}

func (w counter) FlushError() error {
	*w.flushes++
	return http.NewResponseController(w.w).Flush()
}

func controllerPrefersTheOutermostMethod(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		flushes := 0
		outer := unwrapper{wrapper{counter{unwrapper{wrapper{unwrapper{wrapper{w}}}}, &flushes}}}
		err := http.NewResponseController(outer).Flush()
		fmt.Fprint(outer, flushes, err)
	}).dial(t)
	c.send(get("/"))
	if a := c.wants(200, "1 <nil>"); a.ContentLength != -1 {
		t.Errorf("Content-Length is %d: it was not flushed", a.ContentLength)
	}
}

func controllerReportsAFailedFlush(t *test) {
	result := make(chan error, 1)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		for more := 100; more > 0; { // at least this often once the client is known to be gone
			if r.Context().Err() != nil {
				more--
			}
			w.Write(make([]byte, 100)) // fails only once the failure is known
			if err := rc.Flush(); err != nil {
				result <- err
				return
			}
		}
		result <- nil
	}).dial(t)
	c.send(get("/"))
	c.head()
	c.reset()
	if err := receive(t, result, "failing Flush"); err == nil {
		t.Errorf("Flush has not failed")
	}
}

// controllerMovesDeadlinesFromOtherGoroutines: that is how to end a read or write of a handler.
func controllerMovesDeadlinesFromOtherGoroutines(t *test) {
	result := make(chan error, 2)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(unwrapper{wrapper{w}})
		began := make(chan bool)
		go func() {
			<-began
			rc.SetReadDeadline(time.Unix(1, 0))
			rc.SetWriteDeadline(time.Unix(1, 0))
		}()
		if r.Method == "POST" {
			r.Body.Read(make([]byte, 3))
			close(began)
			_, err := r.Body.Read(make([]byte, 3))
			result <- err
			return
		}
		close(began)
		result <- writeUntilItFails(w)
	})
	s.dial(t).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
	s.dial(t).send(get("/"))
	for range 2 {
		if err := receive(t, result, "end of waiting"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("waiting ended with %v, want ErrDeadlineExceeded", err)
		}
	}
}

// responseWriterIsNoPusher: HTTP/1.1 has no push, and handlers check for it.
func responseWriterIsNoPusher(t *test) {
	pusher := make(chan bool, 1)
	t.serve(func(w http.ResponseWriter, r *http.Request) {
		_, ok := w.(http.Pusher)
		pusher <- ok && w.(http.Pusher).Push("/", nil) == nil
	}).dial(t).exchange(get("/"))
	if receive(t, pusher, "request") {
		t.Errorf("the ResponseWriter is an http.Pusher")
	}
}
