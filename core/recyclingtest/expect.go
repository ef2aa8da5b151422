package recyclingtest

import (
	"io"
	"net/http"

	"github.com/recycling-go/recycling/core/internal/gohttp"
)

var expectations = []behaviour{
	continueIsSentAtTheFirstRead,
	continueIsSentOnce,
	continueIsSentForChunkedBody,
	continueIsNotSentIfTheHandlerDoesNotRead,
	continueIsNotSentAfterTheStatus,
	continueIsNotSentWithoutBody,
	continueIsNotSentToHTTP10,
	continueOfTheHandlerReplacesOurs,
	continueIsSentAfterEarlyHints,
	clientNeedNotWaitForContinue,
	connectionIsReusedAfterContinue,
	bodyMayBeReadWhileTheResponseIsWritten,
	unknownExpectationFails,
}

const (
	expecting    = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
	continueHead = "HTTP/1.1 100 Continue\r\n\r\n"
)

func continueIsSentAtTheFirstRead(t *test) {
	entered, read := make(chan bool, 1), t.newGate()
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		<-read
		echoBody(w, r)
	})
	c := s.dial(t)
	c.send(expecting)
	receive(t, entered, "request")
	read.open()
	c.bytes(continueHead)
	c.send("abc")
	c.wants(200, "/ abc <nil>")
}

func continueIsSentOnce(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		var body []byte
		for p := make([]byte, 1); ; {
			n, err := r.Body.Read(p)
			body = append(body, p[:n]...)
			if err != nil {
				w.Write(body)
				return
			}
		}
	})
	for _, value := range []string{"100-continue", "100-Continue", "100-CONTINUE"} {
		c := s.dial(t)
		c.send(request("POST", "/", "Expect: "+value, "Content-Length: 3"))
		c.bytes(continueHead)
		c.send("abc")
		c.wants(200, "abc")
		c.goesOn()
	}
}

func continueIsSentForChunkedBody(t *test) {
	c := t.serve(echoBody).dial(t)
	c.send(request("POST", "/", "Expect: 100-continue", "Transfer-Encoding: chunked"))
	c.bytes(continueHead)
	c.send(inChunks("abc") + "0\r\n\r\n")
	c.wants(200, "/ abc <nil>")
	c.goesOn()
}

func continueIsNotSentIfTheHandlerDoesNotRead(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	c := s.dial(t)
	c.send(expecting)
	if a := c.wants(http.StatusForbidden, "no\n"); !a.Close {
		t.Errorf("response has no Connection: close")
	}
	c.halfClose() // net/http waits for the body until then
	c.ends()

	c = s.dial(t)
	c.send(expecting + "abc" + get("/next"))
	c.wants(http.StatusForbidden, "no\n")
	c.ends()
}

func continueIsNotSentAfterTheStatus(t *test) {
	for name, begin := range map[string]func(w http.ResponseWriter){
		"WriteHeader": func(w http.ResponseWriter) { w.WriteHeader(200) },
		"Write":       func(w http.ResponseWriter) { w.Write(nil) },
	} {
		t.each(name, func(t *test) {
			c := t.serve(func(w http.ResponseWriter, r *http.Request) {
				begin(w)
				io.Copy(w, r.Body)
			}).dial(t)
			c.send(expecting + "abc")
			if gohttp.LateBodyIsRefused {
				c.wants(200, "")
				c.ends()
			} else {
				c.wants(200, "abc")
			}
		})
	}
}

func continueIsNotSentWithoutBody(t *test) {
	c := t.serve(echoBody).dial(t)
	c.send(request("POST", "/", "Expect: 100-continue", "Content-Length: 0"))
	c.wants(200, "/  <nil>")
	c.send(get("/", "Expect: 100-continue"))
	c.wants(200, "/  <nil>")
	c.goesOn()
}

func continueIsNotSentToHTTP10(t *test) {
	c := t.serve(echoBody).dial(t)
	c.send("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc")
	c.wants(200, "/ abc <nil>")
	c.ends()
}

func continueOfTheHandlerReplacesOurs(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusContinue)
		echoBody(w, r)
	}).dial(t)
	c.send(expecting)
	c.bytes(continueHead)
	c.send("abc")
	c.wants(200, "/ abc <nil>")
	c.goesOn()
}

func continueIsSentAfterEarlyHints(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		echoBody(w, r)
	}).dial(t)
	c.send(expecting)
	c.bytes("HTTP/1.1 103 Early Hints\r\n\r\n" + continueHead)
	c.send("abc")
	c.wants(200, "/ abc <nil>")
}

func clientNeedNotWaitForContinue(t *test) {
	c := t.serve(echoBody).dial(t)
	c.send(expecting + "abc" + get("/next"))
	c.bytes(continueHead)
	c.wants(200, "/ abc <nil>")
	c.wants(200, "/next  <nil>")
}

func connectionIsReusedAfterContinue(t *test) {
	c := t.serve(echoBody).dial(t)
	for range 3 {
		c.send(expecting)
		c.bytes(continueHead)
		c.send("abc")
		if a := c.wants(200, "/ abc <nil>"); a.Close {
			t.Errorf("response has Connection: close")
		}
	}
}

// bodyMayBeReadWhileTheResponseIsWritten: see CVE-2020-15586.
func bodyMayBeReadWhileTheResponseIsWritten(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		read := make(chan bool)
		go func() {
			defer close(read)
			io.Copy(io.Discard, r.Body)
		}()
		io.WriteString(w, "response")
		w.(http.Flusher).Flush()
		<-read
	})
	for range 100 {
		c := s.dial(t)
		c.send(expecting + "abc")
		a := c.answer("POST")
		if a.StatusCode == http.StatusContinue {
			a = c.answer("POST")
		}
		if a.StatusCode != 200 || a.text != "response" || a.err != nil {
			t.Fatalf("%s %q, %v", a.Status, a.text, a.err)
		}
		c.Close()
	}
}

func unknownExpectationFails(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "handler") })
	for _, value := range []string{"foo", "101-continue", "100-continu", "200-ok"} {
		for _, raw := range []string{
			get("/", "Expect: "+value),
			post("/", "abc", "Expect: "+value),
			"GET / HTTP/1.0\r\nExpect: " + value + "\r\n\r\n",
		} {
			c := s.dial(t)
			c.send(raw)
			a := c.wants(http.StatusExpectationFailed, "")
			if a.Header.Get("Date") == "" || a.Header.Get("Content-Length") != "0" || !a.Close {
				t.Errorf("header is %v", a.Header)
			}
			c.ends()
		}
	}
}
