package recyclingtest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

var strictness = []behaviour{
	requestsAreReadAsTheRFCsDemand,
	responsesAreMadeAsTheRFCsDemand,
	errorResponsesHaveADate,
	targetTooLongIsToldFromHeaderTooLarge,
	refusalReachesAClientThatIsStillSending,
}

// An outcome is what becomes of a request and its connection.
type outcome struct {
	statuses []int // any of these
	fate     fate
}

type fate int

const (
	open   fate = iota // the connection serves the next request
	closed             // it is closed, and the next request is not served
)

func (o outcome) String() string {
	return fmt.Sprint(o.statuses, []string{"open", "closed"}[o.fate])
}

func is(f fate, statuses ...int) outcome { return outcome{statuses, f} }

// strictRequests are requests on which net/http (nethttp) and the RFCs (strict) disagree.
var strictRequests = []struct {
	name, raw       string
	nethttp, strict outcome
}{
	// RFC 9112, 6.1: a request with both may be smuggling; the connection must be closed after it.
	{"chunked and length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", is(open, 200), is(closed, 200, 400)},
	{"length and chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n3\r\nabc\r\n0\r\n\r\n", is(open, 200), is(closed, 200, 400)},
	// RFC 9112, 6.1: HTTP/1.0 has no Transfer-Encoding; the framing is faulty.
	{"chunked in HTTP 1.0", "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", is(open, 200), is(closed, 400)},
	{"chunked and length in HTTP 1.0", "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", is(open, 200), is(closed, 400)},
	// RFC 9112, 6.3: the length cannot be known if chunked is not the last coding. For a coding that is
	// not understood, 6.1 says 501, and so does a test of net/http's.
	{"gzip", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", is(closed, 501), is(closed, 400, 501)},
	{"chunked, gzip", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", is(closed, 501), is(closed, 400)},
	{"chunked and gzip in two fields", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", is(closed, 501), is(closed, 400)},
	{"identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", is(closed, 501), is(closed, 400, 501)},
	{"xchunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", is(closed, 501), is(closed, 400, 501)},
	{"empty coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", is(closed, 501), is(closed, 400, 501)},
	{"chunked in quotes", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", is(closed, 501), is(closed, 400, 501)},
	// Here chunked is the last coding, in a way that this server does not support.
	{"chunked, chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", is(closed, 501), is(closed, 400, 501)},
	{"chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", is(closed, 501), is(closed, 400, 501)},
	{"empty element before chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: , chunked\r\n\r\n0\r\n\r\n", is(closed, 501), is(closed, 400, 501)},
	{"parameter of chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;x=y\r\n\r\n0\r\n\r\n", is(closed, 501), is(closed, 400, 501)},
	// RFC 9112, 2.2: empty lines before a request should be ignored.
	{"empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", is(closed, 400), is(open, 200)},
	{"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", is(closed, 400), is(open, 200)},
	// RFC 9112, 3.2: an invalid Host must be refused; RFC 9110, 9.3.6: so must a CONNECT without a port.
	{"word for port", "GET / HTTP/1.1\r\nHost: a:xyz\r\n\r\n", is(open, 200), is(closed, 400)},
	{"two ports", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", is(open, 200), is(closed, 400)},
	{"open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", is(open, 200), is(closed, 400)},
	{"CONNECT with empty port", "CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n", is(open, 200), is(closed, 400)},
	// RFC 9112, 3.2.3 and 3.2.4: forms of targets that belong to one method.
	{"authority without CONNECT", "GET a:443 HTTP/1.1\r\nHost: a\r\n\r\n", is(open, 200), is(closed, 400)},
	{"asterisk without OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", is(open, 200), is(closed, 400)},
	// RFC 9112, 7.1: the handler finds out, unless the server looks first.
	{"word for chunk size", chunkedHead + "xyz\r\n\r\n", is(closed, 200), is(closed, 200, 400)},
	{"extension without name", chunkedHead + "3;\r\nabc\r\n0\r\n\r\n", is(open, 200), is(closed, 200, 400)},
	{"extension without value", chunkedHead + "3;a=\r\nabc\r\n0\r\n\r\n", is(open, 200), is(closed, 200, 400)},
	{"control in extension", chunkedHead + "3;a\x01b\r\nabc\r\n0\r\n\r\n", is(open, 200), is(closed, 200, 400)},
	{"NUL in extension", chunkedHead + "3;a=\"\x00\"\r\nabc\r\n0\r\n\r\n", is(open, 200), is(closed, 200, 400)},
	{"open quote in extension", chunkedHead + "3;a=\"b\r\nabc\r\n0\r\n\r\n", is(open, 200), is(closed, 200, 400)},
	{"LF in trailer", chunkedHead + "3\r\nabc\r\n0\r\nX: y\n\r\n", is(open, 200), is(closed, 200, 400)},
	{"LF after trailer", chunkedHead + "3\r\nabc\r\n0\r\nX: y\r\n\n", is(open, 200), is(closed, 200, 400)},
}

func requestsAreReadAsTheRFCsDemand(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.Method == "CONNECT" {
			w.WriteHeader(200)
		} else {
			io.WriteString(w, "handler")
		}
	})
	for _, r := range strictRequests {
		t.each(r.name, func(t *test) {
			want := r.nethttp
			if t.target.Strict {
				want = r.strict
			}
			c := s.dial(t)
			c.send(r.raw + get("/next", "Connection: close"))
			a := c.answer("GET")
			got := outcome{[]int{a.StatusCode}, open}
			if c.rest() == "" {
				got.fate = closed
			}
			if got.fate != want.fate || !slices.Contains(want.statuses, a.StatusCode) {
				t.Errorf("outcome is %v, want %v", got, want)
			}
			if got.fate == closed && !a.Close {
				t.Errorf("response has no Connection: close")
			}
		})
	}
}

// strictResponses are responses that net/http makes and the RFCs forbid. Each function
// says what is wrong with a response, or nothing.
var strictResponses = []struct {
	name, raw       string
	handler         http.HandlerFunc
	nethttp, strict func(received string) string
}{
	{ // RFC 9110, 15.2
		"early hints to HTTP 1.0", "GET / HTTP/1.0\r\n\r\n",
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(103); io.WriteString(w, "body") },
		has("HTTP/1.0 103 Early Hints\r\n\r\nHTTP/1.0 200 OK\r\n"), hasNot(" 103 "),
	},
	{ // RFC 9110, 15.3.6
		"content of 205", get("/", "Connection: close"),
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(205); io.WriteString(w, "body") },
		has("\r\n\r\nbody"), hasNot("body"),
	},
	{ // RFC 9110, 8.6 and 9.3.6
		"length of 200 to CONNECT", request("CONNECT", "a:443", "Connection: close"),
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) },
		has("\r\nContent-Length: 0\r\n"), hasNot("\r\nContent-Length:"),
	},
	{ // RFC 9112, 6.1
		"chunked 200 to CONNECT", request("CONNECT", "a:443", "Connection: close"),
		func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); io.WriteString(w, "tunnel") },
		has("\r\nTransfer-Encoding: chunked\r\n"), hasNot("\r\nTransfer-Encoding:"),
	},
}

func has(part string) func(string) string {
	return func(received string) string {
		if !strings.Contains(received, part) {
			return fmt.Sprintf("has not %q", part)
		}
		return ""
	}
}

func hasNot(part string) func(string) string {
	return func(received string) string {
		if strings.Contains(received, part) {
			return fmt.Sprintf("has %q", part)
		}
		return ""
	}
}

func responsesAreMadeAsTheRFCsDemand(t *test) {
	for _, r := range strictResponses {
		t.each(r.name, func(t *test) {
			check := r.nethttp
			if t.target.Strict {
				check = r.strict
			}
			c := t.serve(r.handler).dial(t)
			c.send(r.raw)
			received := c.rest()
			if wrong := check(received); wrong != "" || !strings.Contains(received, " 20") {
				t.Errorf("response %s: %q", wrong, received)
			}
		})
	}
}

// errorResponsesHaveADate: RFC 9110, 6.6.1. What the server
// answers by itself is otherwise that of net/http, byte for byte.
func errorResponsesHaveADate(t *test) {
	s := t.start(&http.Server{MaxHeaderBytes: 4096, Handler: http.HandlerFunc(echoTarget)})
	for raw, want := range map[string]string{
		"GET / HTTP/1.1 x\r\n\r\n":                       "400 Bad Request",
		"GET / HTTP/1.1\r\n\r\n":                         "400 Bad Request: missing required Host header",
		"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n":            "400 Bad Request: malformed Host header",
		"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n":   "400 Bad Request",
		"GET / HTTP/3.0\r\nHost: a\r\n\r\n":              "505 HTTP Version Not Supported: unsupported protocol version",
		get("/", "X-Large: "+strings.Repeat("x", 20000)): "431 Request Header Fields Too Large",
		get("/", "X Y: z"):                               "400 Bad Request: invalid header name",
	} {
		c := s.dial(t)
		c.sendBeside(raw)
		received := c.rest()
		got := dateLine.ReplaceAllString(received, "")
		want := "HTTP/1.1 " + want + "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + want
		if got != want {
			t.Errorf("%.40q is answered with %q, want %q", raw, got, want)
		}
		if dated := got != received; dated != t.target.Strict {
			t.Errorf("%.40q: Date is sent: %v", raw, dated)
		}
	}
}

// targetTooLongIsToldFromHeaderTooLarge: RFC 9112, 3.
func targetTooLongIsToldFromHeaderTooLarge(t *test) {
	s := t.start(&http.Server{MaxHeaderBytes: 4096, Handler: http.HandlerFunc(echoTarget)})
	long := strings.Repeat("x", 20_000)
	tooLong := http.StatusRequestHeaderFieldsTooLarge
	if t.target.Strict {
		tooLong = http.StatusRequestURITooLong
	}
	for _, v := range []struct {
		raw    string
		status int
	}{
		{get("/" + long), tooLong},
		{"GET /" + long, tooLong},
		{get("/"+long[:2000], "X-Large: "+long), http.StatusRequestHeaderFieldsTooLarge},
		{get("/", "X-Large: "+long), http.StatusRequestHeaderFieldsTooLarge},
	} {
		c := s.dial(t)
		c.sendBeside(v.raw)
		if a := c.answer("GET"); a.StatusCode != v.status || !a.Close {
			t.Errorf("%.20q: %s, want %d", v.raw, a.Status, v.status)
		}
		c.ends()
	}
}

// refusalReachesAClientThatIsStillSending: RFC 9112, 9.6. If the connection were closed at once, what the
// client still sends would be answered with a reset, which may overtake the response.
func refusalReachesAClientThatIsStillSending(t *test) {
	if !t.target.Strict {
		t.Skip("net/http closes the connection at once")
	}
	s := t.serve(echoTarget)
	body := pattern(2 << 20)
	for want, head := range map[int]string{
		400: "POST / HTTP/1.1\r\nContent-Length: 2097152\r\n\r\n",
		417: request("POST", "/", "Content-Length: 2097152", "Expect: x"),
		501: request("POST", "/", "Content-Length: 2097152", "Transfer-Encoding: gzip"),
		505: "POST / HTTP/3.0\r\nHost: a\r\nContent-Length: 2097152\r\n\r\n",
	} {
		for range 10 {
			c := s.dial(t)
			sent := make(chan bool)
			go func() {
				io.WriteString(c, head+body)
				close(sent)
			}()
			if a := c.answer("POST"); a.StatusCode != want || a.err != nil || !a.Close {
				t.Errorf("%d: %s, %v", want, a.Status, a.err)
			}
			c.ends()
			receive(t, sent, "end of sending")
		}
	}
}
