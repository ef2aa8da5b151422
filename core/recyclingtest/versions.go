package recyclingtest

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/recycling-go/recycling/core/internal/gohttp"
)

// Behaviours that differ between versions of net/http are compared with the version that the suite
// is built with.
var versions = []behaviour{
	fieldsAreCountedAsByNetHTTP,
	trailersAreCountedAsByNetHTTP,
	expectantClientsAreAnsweredAsByNetHTTP,
	connectIsRefusedAsByNetHTTP,
	connectIsAcceptedAsByNetHTTP,
	oldClientsAreAnsweredAsByNetHTTP,
}

// control returns t with net/http itself as the target.
func (t *test) control() *test {
	c := *t
	c.target = NetHTTP()
	return &c
}

// received sends raw and returns everything that the client receives until the connection is
// closed, except Date.
func (s *server) received(t *test, raw string) string {
	t.Helper()
	c := s.dial(t)
	defer c.Close()
	c.sendBeside(raw)
	return dateLine.ReplaceAllString(c.rest(), "")
}

// agrees fails the test unless the target, started with the result of srv, responds to each of raws
// as net/http does. A further request closes the connection, unless raw already does.
func (t *test) agrees(srv func() *http.Server, raws ...string) {
	t.Helper()
	got, want := t.start(srv()), t.control().start(srv())
	for _, raw := range raws {
		raw += get("/next", "Connection: close")
		if got, want := got.received(t, raw), want.received(t.control(), raw); got != want {
			t.Errorf("%.300q:\nreceived %.500q\nnet/http %.500q", raw, got, want)
		}
	}
}

func fieldsAreCountedAsByNetHTTP(t *test) {
	h := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, len(r.Header["X"])) }
	for _, limit := range []int{0, 1, 3, 1000} {
		n := limit
		if n == 0 {
			n = 500
		}
		line := "X: y\r\n"
		block := func(lines ...string) string { return "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Join(lines, "") }
		t.each(fmt.Sprint(limit), func(t *test) {
			t.agrees(func() *http.Server {
				srv := &http.Server{Handler: http.HandlerFunc(h)}
				gohttp.SetMaxHeaderValues(srv, limit)
				return srv
			},
				block(strings.Repeat(line, n-1), "\r\n"), // Host is the n-th field
				block(strings.Repeat(line, n), "\r\n"),
				block(strings.Repeat(line, 3*n), "\r\n"),
				block(strings.Repeat(line, n-1), " z\r\n z\r\n", "\r\n"), // continues, or malformed
				block(strings.Repeat("X: y, z, z\r\n", n-1), "\r\n"),
				block(strings.Repeat(line, n), "X\r\n", "\r\n"),
				block(strings.Repeat(line, n-1), "X\r\n", "\r\n"),
				block(strings.Repeat(line, n-1), "X : y\r\n", "\r\n"),
				block(strings.Repeat(line, n+1)), // unfinished: no empty line follows
				block("Content-Length: x\r\n", strings.Repeat(line, n), "\r\n"),
				block("Host: b\r\n", strings.Repeat(line, n), "\r\n"),
			)
		})
	}
}

func trailersAreCountedAsByNetHTTP(t *test) {
	h := func(w http.ResponseWriter, r *http.Request) {
		announced := len(r.Trailer)
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d announced, %q, %v", announced, body, err)
	}
	names := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ",X-%d", i)
		}
		return strings.TrimPrefix(b.String(), ",")
	}
	fields := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "X-%d: y\r\n", i)
		}
		return b.String()
	}
	body := func(trailer, fields string) string {
		return request("POST", "/", "Transfer-Encoding: chunked", trailer) + inChunks("abc") + "0\r\n" + fields + "\r\n"
	}
	for _, limit := range []int{0, 5} {
		n := limit
		if n == 0 {
			n = 500
		}
		t.each(fmt.Sprint(limit), func(t *test) {
			t.agrees(func() *http.Server {
				srv := &http.Server{Handler: http.HandlerFunc(h)}
				gohttp.SetMaxHeaderValues(srv, limit)
				return srv
			},
				body("Trailer: "+names(n), ""),
				body("Trailer: "+names(n+1), ""),
				body("Trailer: "+strings.Repeat(",", n-1), ""),
				body("Trailer: "+strings.Repeat(",", n), ""),
				body("Trailer: X\r\nTrailer: "+names(n), ""),
				body("Trailer: Content-Length,"+names(n), ""),
				body("X: y", fields(min(n, 300))),
				body("X: y", fields(min(n, 300)+1)),
				body("Trailer: X-1", fields(1)),
				post("/", "abc", "Trailer: "+names(n+1)), // no meaning without chunked
			)
		})
	}
}

// readRest responds with what the handler can still read of the body.
func readRest(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%q %v", body, err)
}

func expectantClientsAreAnsweredAsByNetHTTP(t *test) {
	for name, h := range map[string]http.HandlerFunc{
		"unread":       func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "unread") },
		"status":       func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201); readRest(w, r) },
		"empty write":  func(w http.ResponseWriter, r *http.Request) { w.Write(nil); readRest(w, r) },
		"flushed":      func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); readRest(w, r) },
		"early hints":  func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(103); readRest(w, r) },
		"continue":     func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(100); readRest(w, r) },
		"closed":       func(w http.ResponseWriter, r *http.Request) { r.Body.Close(); readRest(w, r) },
		"closed twice": func(w http.ResponseWriter, r *http.Request) { r.Body.Close(); r.Body.Close(); w.WriteHeader(201) },
		"closed partly": func(w http.ResponseWriter, r *http.Request) {
			r.Body.Read(make([]byte, 1))
			r.Body.Close()
			readRest(w, r)
		},
		"read partly": func(w http.ResponseWriter, r *http.Request) {
			r.Body.Read(make([]byte, 1))
			io.WriteString(w, "partly")
		},
		"status partly": func(w http.ResponseWriter, r *http.Request) {
			r.Body.Read(make([]byte, 1))
			w.WriteHeader(201)
			readRest(w, r)
		},
		"continue, none": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(100); w.WriteHeader(201) },
		"full duplex": func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			w.WriteHeader(201)
			readRest(w, r)
		},
	} {
		t.each(name, func(t *test) {
			t.agrees(func() *http.Server { return &http.Server{Handler: h} },
				expecting+"abc",
				request("POST", "/", "Expect: 100-continue", "Transfer-Encoding: chunked")+inChunks("a", "bc")+"0\r\n\r\n",
				post("/", "abc"),
			)
		})
	}
}

func connectIsRefusedAsByNetHTTP(t *test) {
	for name, h := range map[string]http.HandlerFunc{
		"text":   func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) },
		"status": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) },
		"length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "2")
			w.WriteHeader(http.StatusBadGateway)
			io.WriteString(w, "no")
		},
		"chunked": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			w.(http.Flusher).Flush()
			io.WriteString(w, "no")
		},
		"keep-alive": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "keep-alive")
			w.WriteHeader(http.StatusForbidden)
		},
	} {
		t.each(name, func(t *test) {
			t.agrees(func() *http.Server { return &http.Server{Handler: h} },
				request("CONNECT", "a:443"),
				request("CONNECT", "/path"),
				"CONNECT a:443 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
				request("CONNECT", "a:443", "Content-Length: 3")+"abc",
			)
		})
	}
}

func connectIsAcceptedAsByNetHTTP(t *test) {
	if t.target.Strict && !gohttp.ConnectHasNoClose {
		t.Skip("see strict.go")
	}
	for name, h := range map[string]http.HandlerFunc{
		"nothing": func(w http.ResponseWriter, r *http.Request) {},
		"status":  func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"text":    func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "tunnel") },
		"flushed": func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); io.WriteString(w, "tunnel") },
		"length": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "6")
			io.WriteString(w, "tunnel")
		},
		"close": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Connection", "close") },
		"hijacked": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(200)
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(c, "tunnel")
				c.Close()
			}
		},
	} {
		t.each(name, func(t *test) {
			t.agrees(func() *http.Server { return &http.Server{Handler: h} },
				request("CONNECT", "a:443"),
				request("CONNECT", "a:443", "Connection: close"),
				"CONNECT a:443 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
			)
		})
	}
}

// oldClientsAreAnsweredAsByNetHTTP tests the responses to HTTP/1.0 clients that ask for a
// persistent connection and do not get it.
func oldClientsAreAnsweredAsByNetHTTP(t *test) {
	for name, h := range map[string]http.HandlerFunc{
		"length":  func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "response") },
		"flushed": func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); io.WriteString(w, "response") },
		"closed": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			io.WriteString(w, "a")
		},
		"kept": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "keep-alive")
			io.WriteString(w, "a")
		},
		"kept, flushed": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "keep-alive")
			w.(http.Flusher).Flush()
		},
	} {
		t.each(name, func(t *test) {
			old := func(header, body string) string {
				return "POST / HTTP/1.0\r\nConnection: keep-alive\r\n" + header + "\r\n" + body
			}
			t.agrees(func() *http.Server { return &http.Server{Handler: h} },
				old("", ""),
				old("Content-Length: 3\r\n", "abc"),
				old(fmt.Sprintf("Content-Length: %d\r\n", 1<<20), pattern(1<<20)),
			)
		})
	}
}
