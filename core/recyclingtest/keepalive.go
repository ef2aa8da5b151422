package recyclingtest

import (
	"io"
	"net/http"
)

var keepAlive = []behaviour{
	http11StaysOpenByDefault,
	http11EndsAfterConnectionClose,
	http11StaysOpenWithOtherConnectionTokens,
	http10EndsByDefault,
	http10StaysOpenWithKeepAlive,
	http10EndsWithoutKnownLength,
	http10HeadStaysOpenWithKeepAlive,
	handlerEndsConnectionWithConnectionClose,
	nothingIsServedAfterConnectionClose,
	clientThatLeavesBetweenRequestsDisturbsNobody,
	requestCloseTellsOfConnectionClose,
}

func http11StaysOpenByDefault(t *test) {
	c := t.serve(echoTarget).dial(t)
	for _, target := range []string{"/1", "/2", "/3"} {
		c.send(get(target))
		if a := c.wants(200, target); a.Header.Get("Connection") != "" || a.Proto != "HTTP/1.1" {
			t.Errorf("%s with Connection: %s", a.Proto, a.Header.Get("Connection"))
		}
	}
}

func http11EndsAfterConnectionClose(t *test) {
	s := t.serve(echoTarget)
	for _, header := range []string{
		"Connection: close",
		"Connection: Close",
		"CONNECTION: CLOSE",
		"connection:close",
		"Connection: \tclose\t ",
		"Connection: close, keep-alive",
		"Connection: keep-alive, close",
		"Connection: keep-alive,close",
		"Connection: foo , close , bar",
		"Connection: ,close",
		"Connection: Upgrade\r\nConnection: close",
	} {
		t.each(header, func(t *test) {
			c := s.dial(t)
			c.send(get("/", header))
			if a := c.wants(200, "/"); !a.Close {
				t.Errorf("response has no Connection: close: %v", a.Header)
			}
			c.ends()
		})
	}
}

func http11StaysOpenWithOtherConnectionTokens(t *test) {
	s := t.serve(echoTarget)
	for _, header := range []string{
		"Connection: keep-alive",
		"Connection: Keep-Alive",
		"Connection:",
		"Connection: closed",
		"Connection: clos",
		"Connection: not-close",
		"Connection: \"close\"",
		"Connection: foo, bar",
		"X-Connection: close",
		"Proxy-Connection: close",
	} {
		t.each(header, func(t *test) {
			c := s.dial(t)
			c.send(get("/", header))
			if a := c.wants(200, "/"); a.Close {
				t.Errorf("response has Connection: close")
			}
			c.goesOn()
		})
	}
}

func http10EndsByDefault(t *test) {
	s := t.serve(echoTarget)
	for _, header := range []string{"X-Foo: bar", "Connection: close", "Connection: foo", "Connection: Upgrade"} {
		t.each(header, func(t *test) {
			c := s.dial(t)
			c.send("GET / HTTP/1.0\r\n" + header + "\r\n\r\n")
			if a := c.wants(200, "/"); a.Proto != "HTTP/1.0" || a.Header.Get("Connection") != "" {
				t.Errorf("%s with Connection: %s", a.Proto, a.Header.Get("Connection"))
			}
			c.ends()
		})
	}
}

func http10StaysOpenWithKeepAlive(t *test) {
	s := t.serve(echoTarget)
	for _, header := range []string{
		"Connection: keep-alive",
		"Connection: Keep-Alive",
		"connection:KEEP-ALIVE",
		"Connection: foo, keep-alive",
		"Connection: keep-alive, foo",
	} {
		t.each(header, func(t *test) {
			c := s.dial(t)
			for range 2 {
				c.send("GET / HTTP/1.0\r\n" + header + "\r\n\r\n")
				if a := c.wants(200, "/"); a.Header.Get("Connection") != "keep-alive" {
					t.Errorf("Connection: %q, want keep-alive", a.Header.Get("Connection"))
				}
			}
			c.goesOn()
		})
	}
}

func http10EndsWithoutKnownLength(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		io.WriteString(w, "until the end")
	}).dial(t)
	c.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	a := c.wants(200, "until the end")
	if a.ContentLength != -1 || a.TransferEncoding != nil || a.Header.Get("Connection") != "" {
		t.Errorf("Content-Length %d, Transfer-Encoding %q, Connection %q; want none",
			a.ContentLength, a.TransferEncoding, a.Header.Get("Connection"))
	}
	c.ends()
}

func http10HeadStaysOpenWithKeepAlive(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
	}).dial(t)
	a := c.exchange("HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	if got := a.Header.Get("Connection"); got != "keep-alive" {
		t.Errorf("Connection: %q, want keep-alive", got)
	}
	c.goesOn()
}

func handlerEndsConnectionWithConnectionClose(t *test) {
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		io.WriteString(w, "bye")
	}).dial(t)
	c.send(get("/"))
	if a := c.wants(200, "bye"); !a.Close {
		t.Errorf("response has no Connection: close")
	}
	c.ends()
}

func nothingIsServedAfterConnectionClose(t *test) {
	served := make(chan string, 9)
	c := t.serve(func(w http.ResponseWriter, r *http.Request) {
		served <- r.RequestURI
		echoTarget(w, r)
	}).dial(t)
	c.send(get("/first") + get("/last", "Connection: close") + get("/late"))
	c.wants(200, "/first")
	c.wants(200, "/last")
	c.ends()
	if len(served) != 2 {
		t.Errorf("%d requests reached the handler, want 2", len(served))
	}
}

func clientThatLeavesBetweenRequestsDisturbsNobody(t *test) {
	s := t.serve(echoTarget)
	stays := s.dial(t)
	stays.goesOn()
	for _, leave := range []func(*wire){
		func(c *wire) { c.Close() },
		func(c *wire) { c.reset() },
		func(c *wire) { c.halfClose(); c.ends() },
		func(c *wire) { c.send("GET / HT"); c.Close() },
		func(c *wire) { c.send("GET / HT"); c.reset() },
		func(c *wire) { c.send(get("/")); c.reset() },
		func(c *wire) { c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"); c.reset() },
	} {
		silent := s.dial(t)
		leave(silent)
		used := s.dial(t)
		used.goesOn()
		leave(used)
		stays.goesOn()
	}
	s.log.isEmpty(t)
}

func requestCloseTellsOfConnectionClose(t *test) {
	closes := make(chan bool, 1)
	s := t.serve(func(w http.ResponseWriter, r *http.Request) { closes <- r.Close })
	for raw, want := range map[string]bool{
		get("/"):                                                false,
		get("/", "Connection: keep-alive"):                      false,
		get("/", "Connection: close"):                           true,
		"GET / HTTP/1.0\r\n\r\n":                                true,
		"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n":      false,
		"GET / HTTP/1.0\r\nConnection: foo, keep-alive\r\n\r\n": false,
	} {
		s.dial(t).exchange(raw)
		if got := receive(t, closes, "request"); got != want {
			t.Errorf("%q: Request.Close is %v", raw, got)
		}
	}
}
