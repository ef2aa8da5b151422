package recyclingtest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
)

var pipelining = []behaviour{
	pipelinedRequestsAreAnsweredInOrder,
	manyPipelinedRequestsAreAllAnswered,
	pipelinedBodiesStayApart,
	requestMayBeSplitAtAnyByte,
	requestMayComeByteByByte,
	halfClosedClientGetsAllPipelinedResponses,
	emptyLineAfterPostIsTolerated,
	slowPipelinedHandlersRunOneAtATime,
}

func pipelinedRequestsAreAnsweredInOrder(t *test) {
	c := t.serve(echoTarget).dial(t)
	c.send(get("/1") + request("HEAD", "/2") + get("/3", "X-Foo: bar") + get("/4"))
	c.wants(200, "/1")
	if a := c.answer("HEAD"); a.ContentLength != 2 || a.text != "" {
		t.Errorf("response to HEAD: Content-Length %d, body %q", a.ContentLength, a.text)
	}
	c.wants(200, "/3")
	c.wants(200, "/4")
}

func manyPipelinedRequestsAreAllAnswered(t *test) {
	c := t.serve(echoTarget).dial(t)
	const n = 2000
	var all strings.Builder
	for i := range n {
		all.WriteString(get(fmt.Sprint("/", i)))
	}
	c.sendBeside(all.String())
	for i := range n {
		c.wants(200, fmt.Sprint("/", i))
	}
	c.goesOn()
}

// fourRequests is a series of requests of every kind, and echoBody's responses to it.
var (
	fourRequests = get("/1") +
		post("/2", "fixed") +
		chunked("/3", "in", " chunks") +
		get("/4", "X-Long: "+strings.Repeat("x", 100))
	fourAnswers = []string{"/1  <nil>", "/2 fixed <nil>", "/3 in chunks <nil>", "/4  <nil>"}
)

func pipelinedBodiesStayApart(t *test) {
	for name, handler := range map[string]http.HandlerFunc{
		"read":   echoBody,
		"unread": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) },
		"closed": func(w http.ResponseWriter, r *http.Request) { r.Body.Close(); io.WriteString(w, r.RequestURI) },
		"partly read": func(w http.ResponseWriter, r *http.Request) {
			r.Body.Read(make([]byte, 3))
			io.WriteString(w, r.RequestURI)
		},
	} {
		t.each(name, func(t *test) {
			c := t.serve(handler).dial(t)
			c.send(strings.Repeat(fourRequests, 3))
			for range 3 {
				for _, want := range fourAnswers {
					if name != "read" {
						want = want[:2]
					}
					c.wants(200, want)
				}
			}
		})
	}
}

func requestMayBeSplitAtAnyByte(t *test) {
	s := t.serve(echoBody)
	c, other := s.dial(t), s.dial(t)
	for i := 1; i < len(fourRequests); i++ {
		c.send(fourRequests[:i])
		if i%4 == 0 {
			other.goesOn() // gives the server time to see the first part alone
		}
		c.send(fourRequests[i:])
		for _, want := range fourAnswers {
			c.wants(200, want)
		}
	}
}

func requestMayComeByteByByte(t *test) {
	c := t.serve(echoBody).dial(t)
	for i := range len(fourRequests) {
		c.send(fourRequests[i : i+1])
	}
	for _, want := range fourAnswers {
		c.wants(200, want)
	}
}

func halfClosedClientGetsAllPipelinedResponses(t *test) {
	c := t.serve(echoBody).dial(t)
	c.send(fourRequests)
	c.halfClose()
	for _, want := range fourAnswers {
		c.wants(200, want)
	}
	c.ends()
}

func emptyLineAfterPostIsTolerated(t *test) {
	for name, extra := range map[string]string{"CRLF": "\r\n", "two CRLF": "\r\n\r\n", "LF": "\n"} {
		t.each(name, func(t *test) {
			c := t.serve(echoBody).dial(t)
			c.send(post("/", "abc") + extra + get("/next"))
			c.wants(200, "/ abc <nil>")
			c.wants(200, "/next  <nil>")
		})
	}
}

func slowPipelinedHandlersRunOneAtATime(t *test) {
	entered, leave := make(chan string, 3), make(chan struct{}, 3)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		entered <- r.RequestURI
		<-leave
		echoTarget(w, r)
	}).dial(t)
	defer close(leave)
	c.send(get("/1") + get("/2") + get("/3"))
	for _, want := range []string{"/1", "/2", "/3"} {
		if got := receive(t, entered, "request"); got != want {
			t.Errorf("handler was called for %s, want %s", got, want)
		}
		if len(entered) != 0 {
			t.Errorf("another handler was called for the same connection")
		}
		give(t, leave, struct{}{})
		c.wants(200, want)
	}
}
