package recyclingtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
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
	timeoutHandlerHasAMessageOfItsOwn,
	timeoutHandlerKeepsTheConnection,
	timeoutHandlerForwardsTheEndOfTheClient,
	timeoutHandlerSendsHeaderAndStatus,
	maxBytesHandlerEndsTheConnection,
	maxBytesReaderErrorsForEver,
	querySemicolonsMayBeAllowed,
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

// limited responds with the error of reading a body of at most 10 bytes.
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

// maxBytesReaderOnlyTheHandlerKnowsIsNoTrouble: net/http closes this connection too. Another server
// cannot know of the limit, and may read the rest of a small body.
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

func timeoutHandlerHasAMessageOfItsOwn(t *test) {
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c := t.start(&http.Server{Handler: http.TimeoutHandler(slow, time.Millisecond, "")}).dial(t)
	c.send(get("/"))
	a := c.wants(503, "<html><head><title>Timeout</title></head><body><h1>Timeout</h1></body></html>")
	if a.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("header is %v", a.Header)
	}
}

// timeoutHandlerKeepsTheConnection: the late handler may still read the body or look at the
// request.
func timeoutHandlerKeepsTheConnection(t *test) {
	g, late := t.newGate(), make(chan string, 9)
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fast" {
			echoBody(w, r)
			return
		}
		<-g
		_, err := io.ReadAll(r.Body)
		w.Header().Set("X-Late", "late")
		late <- fmt.Sprint(r.URL.Path, " ", r.Header.Get("X"), " ", err != nil || r.Body == http.NoBody)
	})
	s := t.start(&http.Server{Handler: http.TimeoutHandler(slow, 10*time.Millisecond, "timeout")})
	c := s.dial(t)
	for _, raw := range []string{get("/slow", "X: y"), post("/slow", "body", "X: y"), get("/slow", "X: y")} {
		c.send(raw)
		c.wants(503, "timeout")
	}
	c.send(get("/other", "X: z"))
	c.wants(503, "timeout")
	g.open()
	for range 3 {
		if got := receive(t, late, "late handler"); got != "/slow y true" && got != "/other z true" {
			t.Errorf("late handler saw %s", got)
		}
	}
	receive(t, late, "late handler")
}

func timeoutHandlerForwardsTheEndOfTheClient(t *test) {
	entered, ended := make(chan bool, 1), make(chan error, 1)
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		<-r.Context().Done()
		ended <- r.Context().Err()
	})
	c := t.start(&http.Server{Handler: http.TimeoutHandler(slow, time.Hour, "")}).dial(t)
	c.send(get("/"))
	receive(t, entered, "request")
	c.Close()
	if err := receive(t, ended, "end of the context"); !errors.Is(err, context.Canceled) {
		t.Errorf("context's error is %v, want Canceled", err)
	}
}

func timeoutHandlerSendsHeaderAndStatus(t *test) {
	h := http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Foo", "bar")
		w.WriteHeader(201)
		io.WriteString(w, big)
		_, flusher := w.(http.Flusher)
		_, hijacker := w.(http.Hijacker)
		fmt.Fprint(w, flusher, hijacker)
	}), patience, "")
	c := t.start(&http.Server{Handler: h}).dial(t)
	c.send(get("/"))
	if a := c.wants(201, big+"false false"); a.Header.Get("X-Foo") != "bar" {
		t.Errorf("header is %v", a.Header)
	}
	c.goesOn()
}

// maxBytesHandlerEndsTheConnection: the server need not read the rest. The client still gets the
// response.
func maxBytesHandlerEndsTheConnection(t *test) {
	h := http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		}
	}), 1000)
	s := t.start(&http.Server{Handler: h})
	chunk := inChunks(pattern(62_500))
	for name, v := range map[string]struct{ header, more string }{ // more is sent 64 times
		"fixed":   {"Content-Length: 4000000", pattern(62_500)},
		"chunked": {"Transfer-Encoding: chunked", chunk},
		"expect":  {"Expect: 100-continue\r\nContent-Length: 4000000", pattern(62_500)},
	} {
		t.each(name, func(t *test) {
			c := s.dial(t)
			c.sendBeside(request("POST", "/", v.header), slices.Repeat([]string{v.more}, 64)...)
			if name == "expect" {
				c.bytes(continueHead)
			}
			if a := c.wants(413, "http: request body too large\n"); !a.Close {
				t.Errorf("response has no Connection: close")
			}
			c.ends()
		})
	}
}

func maxBytesReaderErrorsForEver(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		body := http.MaxBytesReader(w, r.Body, 3)
		for range 3 {
			n, err := body.Read(make([]byte, 10))
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				err = fmt.Errorf("limit %d", tooLarge.Limit)
			}
			fmt.Fprint(w, n, " ", err, ", ")
		}
	}).dial(t)
	c.send(post("/", "abcdef"))
	c.wants(200, "3 limit 3, 0 limit 3, 0 limit 3, ")
}

func querySemicolonsMayBeAllowed(t *test) {
	c := t.start(&http.Server{Handler: http.AllowQuerySemicolons(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.FormValue("a"), r.FormValue("b"), " ", r.RequestURI)
	}))}).dial(t)
	c.send(get("/?a=1;b=2"))
	c.wants(200, "12 /?a=1;b=2")
}
