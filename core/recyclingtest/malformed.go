package recyclingtest

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

var malformed = []behaviour{
	malformedRequestsAreRefused,
	oddRequestsAreAccepted,
	incompleteRequestsAreRefused,
	badLinesAreRefusedWhenTheyCome,
	absentRequestsAreNotAnswered,
}

const (
	badRequest     = 400
	notImplemented = 501
	badVersion     = 505
)

// malformedRequests are requests that net/http refuses with this status, where RFC 9112 demands no
// other.
var malformedRequests = []struct {
	name, raw string
	status    int
}{
	{"no target", "GET\r\nHost: a\r\n\r\n", badRequest},
	{"no version", "GET /\r\nHost: a\r\n\r\n", badRequest},
	{"empty version", "GET / \r\nHost: a\r\n\r\n", badRequest},
	{"no method", " / HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"leading space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"trailing space", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", badRequest},
	{"fourth word", "GET / HTTP/1.1 x\r\nHost: a\r\n\r\n", badRequest},
	{"space in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"two spaces later", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"tab", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"two CR", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", badRequest},
	{"CR in request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"NUL in method", "G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"delimiter in method", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"letter in method", "GÄT / HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", badRequest},

	{"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"other protocol", "GET / HTTQ/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"short version", "GET / HTTP/1\r\nHost: a\r\n\r\n", badRequest},
	{"long version", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", badRequest},
	{"longer version", "GET / HTTP/1.1.1\r\nHost: a\r\n\r\n", badRequest},
	{"two digits", "GET / HTTP/11.1\r\nHost: a\r\n\r\n", badRequest},
	{"letters for version", "GET / HTTP/a.b\r\nHost: a\r\n\r\n", badRequest},
	{"signed version", "GET / HTTP/+1.1\r\nHost: a\r\n\r\n", badRequest},
	{"HTTP 0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", badVersion},
	{"HTTP 2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", badVersion},
	{"HTTP 3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", badVersion},

	{"relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"escape in target", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"short escape in target", "GET /% HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"control in target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"DEL in target", "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"NUL in target", "GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"port of target", "GET http://a:b/ HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"bracket in target", "GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"target without scheme", "GET ://a/ HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},
	{"port of CONNECT", "CONNECT a:b HTTP/1.1\r\nHost: a\r\n\r\n", badRequest},

	{"no Host", "GET / HTTP/1.1\r\n\r\n", badRequest},
	{"no Host, absolute target", "GET http://a/ HTTP/1.1\r\n\r\n", badRequest},
	{"no Host, HTTP 1.2", "GET / HTTP/1.2\r\n\r\n", badRequest},
	{"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", badRequest},
	{"same Host twice", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", badRequest},
	{"two Hosts, HTTP 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", badRequest},
	{"path in Host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", badRequest},
	{"user in Host", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", badRequest},
	{"space in Host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", badRequest},
	{"markup in Host", "GET / HTTP/1.1\r\nHost: <a>\r\n\r\n", badRequest},
	{"query in Host", "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", badRequest},
	{"letter in Host", "GET / HTTP/1.1\r\nHost: ä\r\n\r\n", badRequest},
	{"folded Host", "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", badRequest},

	{"space before colon", "GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", badRequest},
	{"tab before colon", "GET / HTTP/1.1\r\nHost: a\r\nX\t: b\r\n\r\n", badRequest},
	{"space before colon of Host", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", badRequest},
	{"space before colon of length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc", badRequest},
	{"space before first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", badRequest},
	{"no colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", badRequest},
	{"no name", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", badRequest},
	{"space in name", "GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", badRequest},
	{"delimiter in name", "GET / HTTP/1.1\r\nHost: a\r\nX(Y): b\r\n\r\n", badRequest},
	{"NUL in name", "GET / HTTP/1.1\r\nHost: a\r\nX\x00: b\r\n\r\n", badRequest},
	{"letter in name", "GET / HTTP/1.1\r\nHost: a\r\nÄ: b\r\n\r\n", badRequest},
	{"CR in name", "GET / HTTP/1.1\r\nHost: a\r\nX\rY: b\r\n\r\n", badRequest},
	{"NUL in value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\x00c\r\n\r\n", badRequest},
	{"control in value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\x01c\r\n\r\n", badRequest},
	{"DEL in value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\x7fc\r\n\r\n", badRequest},
	{"bare CR in value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", badRequest},
	{"bare CR as line end", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", badRequest},
	{"NUL in folded value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n \x00\r\n\r\n", badRequest},

	{"signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", badRequest},
	{"negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", badRequest},
	{"empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", badRequest},
	{"blank length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \t \r\n\r\n", badRequest},
	{"word for length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: five\r\n\r\nhello", badRequest},
	{"hexadecimal length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello", badRequest},
	{"fractional length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5.0\r\n\r\nhello", badRequest},
	{"underscore in length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\nhellohello", badRequest},
	{"space in length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 0\r\n\r\nhellohello", badRequest},
	{"list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", badRequest},
	{"trailing comma of length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3,\r\n\r\nabc", badRequest},
	{"length overflows", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n", badRequest},
	{"length wraps", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551619\r\n\r\nabc", badRequest},
	{"lengths differ", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", badRequest},
	{"lengths differ by a zero", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 03\r\n\r\nabc", badRequest},
	{"NUL in length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\x00\r\n\r\nabc", badRequest},
	{"bad length and chunked", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", badRequest},
	{"length on GET", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -0\r\n\r\n", badRequest},

	{"chunked behind VT", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", badRequest},
	{"chunked behind FF", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0cchunked\r\n\r\n0\r\n\r\n", badRequest},
	{"chunked behind CR", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \rchunked\r\n\r\n0\r\n\r\n", badRequest},
	{"chunked before NUL", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n", badRequest},
	{"unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", notImplemented},
	{"forbidden trailer", chunkedWith("Trailer: Content-Length"), badRequest},
	{"forbidden trailers", chunkedWith("Trailer: X-A, transfer-encoding"), badRequest},
	{"trailer of trailer", chunkedWith("Trailer: Trailer"), badRequest},
}

func chunkedWith(header string) string {
	return request("POST", "/", "Transfer-Encoding: chunked", header) + "0\r\n\r\n"
}

// refusing starts a server whose handlers should not be called.
func (t *test) refusing() (s *server, reached *atomic.Int64) {
	reached = new(atomic.Int64)
	return t.serve(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		io.WriteString(w, "handler: "+r.RequestURI)
	}), reached
}

func malformedRequestsAreRefused(t *test) {
	s, reached := t.refusing()
	for _, m := range malformedRequests {
		t.each(m.name, func(t *test) {
			c := s.dial(t)
			c.send(m.raw + get("/smuggled"))
			a := c.answer("GET")
			if a.StatusCode != m.status || a.err != nil {
				t.Errorf("status is %s, %v; want %d", a.Status, a.err, m.status)
			}
			if !a.Close || a.Proto != "HTTP/1.1" || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("%s, Connection: close %v, Content-Type %q", a.Proto, a.Close, a.Header.Get("Content-Type"))
			}
			c.ends()
		})
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests reached the handler", n)
	}
	s.dial(t).goesOn()
	s.log.isEmpty(t)
}

func oddRequestsAreAccepted(t *test) {
	s := t.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", strings.Join(r.Header["X"], "|"))
		echoBody(w, r)
	})
	for _, o := range []struct{ name, raw, text, header string }{
		{"LF as line end", "GET / HTTP/1.1\nHost: a\nX: b\n\n", "/  <nil>", "b"},
		{"LF after CRLF", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\n", "/  <nil>", "b"},
		{"LF and body", "POST / HTTP/1.1\nHost: a\nContent-Length: 3\n\nabc", "/ abc <nil>", ""},
		{"folded value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n", "/  <nil>", "b c"},
		{"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "/  <nil>", ""},
		{"no space after colon", "GET / HTTP/1.1\r\nHost:a\r\nX:b\r\n\r\n", "/  <nil>", "b"},
		{"obsolete text", "GET / HTTP/1.1\r\nHost: a\r\nX: \x80\xff\r\n\r\n", "/  <nil>", "\x80\xff"},
		{"same length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "/ abc <nil>", ""},
		{"same length with space", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: \t3 \r\n\r\nabc", "/ abc <nil>", ""},
		{"length with zeros", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0000000003\r\n\r\nabc", "/ abc <nil>", ""},
		{"chunked in capitals", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \tCHUNKED \r\n\r\n3\r\nabc\r\n0\r\n\r\n", "/ abc <nil>", ""},
		{"body of GET", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "/ abc <nil>", ""},
		{"high minor version", "GET / HTTP/1.9\r\nHost: a\r\n\r\n", "/  <nil>", ""},
		{"percent in query", "GET /?% HTTP/1.1\r\nHost: a\r\n\r\n", "/?%  <nil>", ""},
		{"letters in target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", "/ä  <nil>", ""},
	} {
		t.each(o.name, func(t *test) {
			c := s.dial(t)
			c.send(o.raw + get("/next"))
			if a := c.wants(200, o.text); a.Header.Get("X-Seen") != o.header {
				t.Errorf("value is %q, want %q", a.Header.Get("X-Seen"), o.header)
			}
			c.wants(200, "/next  <nil>")
		})
	}
}

func incompleteRequestsAreRefused(t *test) {
	s, reached := t.refusing()
	for _, raw := range []string{
		"G",
		"GET / HTTP/1.1",
		"GET / HTTP/1.1\r",
		"GET / HTTP/1.1\r\n",
		"GET / HTTP/1.1\r\nHost: a",
		"GET / HTTP/1.1\r\nHost: a\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\r",
	} {
		c := s.dial(t)
		c.send(raw)
		c.halfClose()
		if a := c.answer("GET"); a.StatusCode != badRequest || !a.Close {
			t.Errorf("%q: %s, Connection: close %v", raw, a.Status, a.Close)
		}
		c.ends()
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests reached the handler", n)
	}
}

// badLinesAreRefusedWhenTheyCome: the rest may never be sent. Where the next line might continue
// the bad one, its first byte is sent too.
func badLinesAreRefusedWhenTheyCome(t *test) {
	s, reached := t.refusing()
	const good = "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n"
	for _, raw := range []string{
		"GET /\r\n",
		"GET / HTTP/x\r\n",
		"G\x00T / HTTP/1.1\r\n",
		"GET /% HTTP/1.1\r\n",
		"GET / HTTP/1.1\r\n X: y\r\n",
		"GET / HTTP/1.1\r\n \r\n",
		"GET / HTTP/1.1\r\nX\r\n",
		good + "Y\r\n",
		good + "Y\n",
		good + ": y\r\nZ",
		good + "Y\t: y\r\nZ",
		good + "(Y): y\r\nZ",
		good + "\xc3\xa4: y\r\nZ",
		good + "Y: \x00\r\nZ",
		good + "Y: \x7f\r\nZ",
		good + "Y: a\rb\r\nZ",
		good + "Y: a\r\n \x01\r\nZ",
		good + "Y: a\r\n b\r\n\tc\r\n: d\r\nZ",
		good + "Y: " + strings.Repeat("y", 10000) + "\r\n" + "Z\r\n",
		good + strings.Repeat("Y: y\r\n", 400) + "Z\r\n",
	} {
		for _, pieces := range []int{1, 2, 20} {
			c := s.dial(t)
			for i := range pieces {
				// The response may come early.
				io.WriteString(c, raw[len(raw)*i/pieces:len(raw)*(i+1)/pieces])
			}
			a := c.answer("GET")
			if a.StatusCode != badRequest || !a.Close || a.text != "400 Bad Request" {
				t.Errorf("%.100q, in %d pieces: %s, Connection: close %v, %q", raw, pieces, a.Status, a.Close, a.text)
			}
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d requests reached the handler", n)
	}
}

func absentRequestsAreNotAnswered(t *test) {
	s, _ := t.refusing()
	c := s.dial(t)
	c.halfClose()
	c.ends()
	c = s.dial(t)
	c.goesOn()
	c.halfClose()
	c.ends()
	s.log.isEmpty(t)
}
