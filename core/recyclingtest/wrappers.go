package recyclingtest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

var wrappers = []behaviour{
	timeoutHandlerAnswersInTime,
	timeoutHandlerAnswersForASlowHandler,
	maxBytesReaderEndsTheConnection,
	maxBytesReaderEndsTheConnectionAfterWriteHeader,
	maxBytesReaderOnlyTheHandlerKnowsIsNoTrouble,
	maxBytesReaderWithinTheLimitDoesNothing,
	maxBytesHandlerLimitsForms,
	stripPrefixStrips,
}

func timeoutHandlerAnswersInTime(t *test) {
	h := http.TimeoutHandler(http.HandlerFunc(echoBody), patience, "timeout")
	c := t.start(&http.Server{Handler: h}).dial(t)
	c.send(post("/", "body"))
	c.wants(200, "/ body <nil>")
	c.goesOn()
}

func timeoutHandlerAnswersForASlowHandler(t *test) {
	g, result := t.newGate(), make(chan error, 2)
	slow := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "never seen")
		<-g
		result <- r.Context().Err()
		_, err := io.WriteString(w, "late")
		result <- err
	}
	c := t.start(&http.Server{Handler: http.TimeoutHandler(http.HandlerFunc(slow), 10*time.Millisecond, "timeout")}).dial(t)
	for range 2 {
		c.send(get("/"))
		c.wants(503, "timeout")
		if t.Failed() {
			return
		}
	}
	g.open()
	for range 2 {
		if err := receive(t, result, "context's error"); err == nil {
			t.Errorf("context of the slow handler has not ended")
		}
		if err := receive(t, result, "result of Write"); !errors.Is(err, http.ErrHandlerTimeout) && err == nil {
			t.Errorf("late Write: %v, want ErrHandlerTimeout", err)
		}
	}
}

// limited answers with how reading a body of at most 10 bytes ended.
func limited(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 10)
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}
	fmt.Fprintf(w, "%s %v", body, err)
}

func maxBytesReaderEndsTheConnection(t *test) {
	s := t.serve(limited)
	for _, raw := range []string{post("/", "0123456789a"), chunked("/", "0123456789a"), post("/", pattern(100_000)), chunkedBy(1000, pattern(1<<20))} {
		c := s.dial(t)
		c.sendBeside(raw + get("/next"))
		a := c.answer("POST")
		if a.StatusCode != 413 || !strings.HasSuffix(a.text, " http: request body too large") || !a.Close {
			t.Errorf("%s %q, Connection: close %v", a.Status, a.text, a.Close)
		}
		c.ends()
	}
}

func maxBytesReaderEndsTheConnectionAfterWriteHeader(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(201)
		limited(w, r)
	}).dial(t)
	c.send(post("/", "0123456789a") + get("/next"))
	if a := c.wants(201, "0123456789 http: request body too large"); !a.Close {
		t.Errorf("response has no Connection: close")
	}
	c.ends()
}

// maxBytesReaderOnlyTheHandlerKnowsIsNoTrouble: net/http ends this connection too. A server
// that is not net/http cannot know of the limit; it may read the rest of a small body.
func maxBytesReaderOnlyTheHandlerKnowsIsNoTrouble(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 10))
		fmt.Fprint(w, err)
	})
	for _, raw := range []string{post("/", pattern(1000)), chunkedBy(10, pattern(1000))} {
		c := s.dial(t)
		c.send(raw)
		if a := c.wants(200, "http: request body too large"); a.Close {
			c.ends()
		} else {
			c.goesOn()
		}
	}
	c := s.dial(t)
	c.sendBeside(post("/", pattern(1<<20)))
	if a := c.wants(200, "http: request body too large"); !a.Close {
		t.Errorf("response has no Connection: close")
	}
	c.ends()
}

func maxBytesReaderWithinTheLimitDoesNothing(t *test) {
	c := t.serve(limited).dial(t)
	for range 2 {
		for _, raw := range []string{post("/", "0123456789"), chunked("/", "01234", "56789"), post("/", "012")} {
			c.send(raw)
			if a := c.answer("POST"); a.StatusCode != 200 || !strings.HasSuffix(a.text, " <nil>") || a.Close {
				t.Errorf("%s %q, Connection: close %v", a.Status, a.text, a.Close)
			}
		}
	}
}

func maxBytesHandlerLimitsForms(t *test) {
	c := t.start(&http.Server{Handler: http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.ParseForm(), r.Form)
	}), 10)}).dial(t)
	const form = "Content-Type: application/x-www-form-urlencoded"
	c.send(post("/", "a=1", form))
	c.wants(200, "<nil> map[a:[1]]")
	c.send(post("/", "a=1234567890", form))
	c.wants(200, "http: request body too large map[]")
}

func stripPrefixStrips(t *test) {
	h := http.StripPrefix("/a", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL.Path, " ", r.RequestURI)
	}))
	c := t.start(&http.Server{Handler: h}).dial(t)
	c.send(get("/a/b"))
	c.wants(200, "/b /a/b")
	c.send(get("/b"))
	c.wants(404, "404 page not found\n")
}
