package recyclingtest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/recycling-go/recycling/core/internal/gohttp"
)

var strictness = []behaviour{
	requestsAreReadAsTheRFCsDemand,
	responsesAreMadeAsTheRFCsDemand,
	errorResponsesHaveADate,
	targetTooLongIsToldFromHeaderTooLarge,
	lastResponseReachesAClientThatIsStillSending,
}

// An outcome is the result of a request for the client and its connection.
type outcome struct {
	statuses []int // any of these
	fate     fate
}

type fate int

const (
	open   fate = iota // the connection serves the next request
	closed             // the connection is closed, and the next request is not served
)

func (o outcome) String() string {
	return fmt.Sprint(o.statuses, []string{"open", "closed"}[o.fate])
}

func is(f fate, statuses ...int) outcome { return outcome{statuses, f} }

// strictRequests are requests on which net/http and the RFCs disagree, with the outcome by the
// RFCs.
var strictRequests = []struct {
	name, raw string
	strict    outcome
}{
	// RFC 9112, 6.1: a request with both may be request smuggling; the connection must be closed
	// after it.
	{"chunked and length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", is(closed, 200, 400)},
	{"length and chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n3\r\nabc\r\n0\r\n\r\n", is(closed, 200, 400)},
	// RFC 9112, 6.1: HTTP/1.0 has no Transfer-Encoding; the framing is faulty.
	{"chunked in HTTP 1.0", "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", is(closed, 400)},
	{"chunked and length in HTTP 1.0", "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", is(closed, 400)},
	// RFC 9112, 6.3: the length cannot be determined if chunked is not the last coding. For an
	// unknown coding, 6.1 says 501, and so does a test of net/http.
	{"gzip", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", is(closed, 400, 501)},
	{"chunked, gzip", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", is(closed, 400)},
	{"chunked and gzip in two fields", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", is(closed, 400)},
	{"identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", is(closed, 400, 501)},
	{"xchunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", is(closed, 400, 501)},
	{"empty coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", is(closed, 400, 501)},
	{"chunked in quotes", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", is(closed, 400, 501)},
	// Chunked is the last coding, in a form that this server does not support.
	{"chunked, chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", is(closed, 400, 501)},
	{"chunked twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", is(closed, 400, 501)},
	{"empty element before chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: , chunked\r\n\r\n0\r\n\r\n", is(closed, 400, 501)},
	{"parameter of chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;x=y\r\n\r\n0\r\n\r\n", is(closed, 400, 501)},
	// RFC 9112, 2.2: empty lines before a request should be ignored.
	{"empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", is(open, 200)},
	{"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", is(open, 200)},
	// RFC 9112, 3.2: an invalid Host must be refused. RFC 9110, 9.3.6: so must a CONNECT without a
	// port.
	{"word for port", "GET / HTTP/1.1\r\nHost: a:xyz\r\n\r\n", is(closed, 400)},
	{"two ports", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", is(closed, 400)},
	{"open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", is(closed, 400)},
	{"CONNECT with empty port", "CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n", is(closed, 400)},
	// RFC 9112, 3.2.3 and 3.2.4: these forms of request targets are for one method each.
	{"authority without CONNECT", "GET a:443 HTTP/1.1\r\nHost: a\r\n\r\n", is(closed, 400)},
	{"asterisk without OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", is(closed, 400)},
	// RFC 9112, 7.1: the handler sees the error, unless the server checks before it calls the
	// handler.
	{"word for chunk size", chunkedHead + "xyz\r\n\r\n", is(closed, 200, 400)},
	{"extension without name", chunkedHead + "3;\r\nabc\r\n0\r\n\r\n", is(closed, 200, 400)},
	{"extension without value", chunkedHead + "3;a=\r\nabc\r\n0\r\n\r\n", is(closed, 200, 400)},
	{"control in extension", chunkedHead + "3;a\x01b\r\nabc\r\n0\r\n\r\n", is(closed, 200, 400)},
	{"NUL in extension", chunkedHead + "3;a=\"\x00\"\r\nabc\r\n0\r\n\r\n", is(closed, 200, 400)},
	{"open quote in extension", chunkedHead + "3;a=\"b\r\nabc\r\n0\r\n\r\n", is(closed, 200, 400)},
	{"LF in trailer", chunkedHead + "3\r\nabc\r\n0\r\nX: y\n\r\n", is(closed, 200, 400)},
	{"LF after trailer", chunkedHead + "3\r\nabc\r\n0\r\nX: y\r\n\n", is(closed, 200, 400)},
}

func requestsAreReadAsTheRFCsDemand(t *test) {
	h := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.Method == "CONNECT" {
			w.WriteHeader(200)
		} else {
			io.WriteString(w, "handler")
		}
	}
	s := t.serve(h)
	control := t.control().serve(h)
	for _, r := range strictRequests {
		t.each(r.name, func(t *test) {
			want := r.strict
			if !t.target.Strict {
				want, _ = control.outcome(t.control(), r.raw)
			}
			got, a := s.outcome(t, r.raw)
			if got.fate != want.fate || !slices.Contains(want.statuses, a.StatusCode) {
				t.Errorf("outcome is %v, want %v", got, want)
			}
			if got.fate == closed && !a.Close && !(a.Request.Method == "CONNECT" && gohttp.ConnectHasNoClose) {
				t.Errorf("response has no Connection: close")
			}
		})
	}
}

// outcome sends raw and another request, and returns the outcome of raw.
func (s *server) outcome(t *test, raw string) (outcome, *answer) {
	t.Helper()
	c := s.dial(t)
	c.send(raw + get("/next", "Connection: close"))
	method, _, _ := strings.Cut(raw, " ")
	a := c.answer(method)
	o := outcome{[]int{a.StatusCode}, open}
	if c.rest() == "" {
		o.fate = closed
	}
	return o, a
}

// strictResponses are responses that net/http sends, or sent in the past, although the RFCs forbid
// them, with the text that they must not contain.
var strictResponses = []struct {
	name, raw string
	handler   http.HandlerFunc
	forbidden string
}{
	{ // RFC 9110, 15.2
		"early hints to HTTP 1.0", "GET / HTTP/1.0\r\n\r\n",
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(103); io.WriteString(w, "body") },
		" 103 ",
	},
	{ // RFC 9110, 15.3.6
		"content of 205", get("/", "Connection: close"),
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(205); io.WriteString(w, "body") },
		"body",
	},
	{ // RFC 9110, 8.6 and 9.3.6
		"length of 200 to CONNECT", request("CONNECT", "a:443", "Connection: close"),
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) },
		"\r\nContent-Length:",
	},
	{ // RFC 9112, 6.1
		"chunked 200 to CONNECT", request("CONNECT", "a:443", "Connection: close"),
		func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); io.WriteString(w, "tunnel") },
		"\r\nTransfer-Encoding:",
	},
}

func responsesAreMadeAsTheRFCsDemand(t *test) {
	for _, r := range strictResponses {
		t.each(r.name, func(t *test) {
			received := t.serve(r.handler).received(t, r.raw)
			if t.target.Strict {
				if strings.Contains(received, r.forbidden) || !strings.Contains(received, " 20") {
					t.Errorf("response is %q", received)
				}
			} else if want := t.control().serve(r.handler).received(t.control(), r.raw); received != want {
				t.Errorf("response is %q, want %q", received, want)
			}
		})
	}
}

// errorResponsesHaveADate: RFC 9110, 6.6.1. Apart from Date, the server's own error responses are
// those of net/http, byte for byte.
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
