package recyclingtest

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// lastRequests are requests whose response is the last of their connection, while the client
// continues to send.
var lastRequests = []struct {
	name, head, more string
	status           int
}{
	{"no host", "POST / HTTP/1.1\r\nContent-Length: 2097152\r\n\r\n", "x", 400},
	{"no HTTP", "x\r\n", "x", 400},
	{"bad header line", "GET / HTTP/1.1\r\nHost: a\r\nx\r\n\r\n", "x", 400},
	{"too large", request("POST", "/limited", "Content-Length: 2097152"), "x", 413},
	{"too large, chunked", request("POST", "/limited", "Transfer-Encoding: chunked"), "4\r\nabcd\r\n", 413},
	{"target too long", "GET /", "x", 414},
	{"unknown expectation", request("POST", "/", "Content-Length: 2097152", "Expect: x"), "x", 417},
	{"header too large", "GET / HTTP/1.1\r\nHost: a\r\nX: ", "x", 431},
	{"unknown coding", request("POST", "/", "Content-Length: 2097152", "Transfer-Encoding: gzip"), "x", 501},
	{"unknown version", "POST / HTTP/3.0\r\nHost: a\r\nContent-Length: 2097152\r\n\r\n", "x", 505},
	{"HTTP 1.0", "POST / HTTP/1.0\r\nContent-Length: 2097152\r\n\r\n", "x", 200},
	// A client of HTTP/1.0 has no reason to send more, so the connection lingers only if it has.
	{"HTTP 1.0 with more requests", "GET / HTTP/1.0\r\n\r\n" + get("/"), get("/"), 200},
	{"HTTP 1.0 without a length", "GET /flush HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", 200},
	{"closed by the client", request("POST", "/", "Content-Length: 2097152", "Connection: close"), "x", 200},
	{"closed by the handler", get("/close"), get("/"), 200},
	{"closed by the handler, with a body", request("POST", "/close", "Content-Length: 2097152"), "x", 200},
	{"body that nobody reads", request("POST", "/", "Content-Length: 2097152"), "x", 200},
	{"body that nobody asks for", request("POST", "/", "Content-Length: 2097152", "Expect: 100-continue"), "x", 200},
	{"broken body", request("POST", "/read", "Transfer-Encoding: chunked"), "x", 200},
	{"body without an end in sight", request("POST", "/", "Transfer-Encoding: chunked"), "4\r\nabcd\r\n", 200},
	{"chunked and length", "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", get("/"), 200},
	{"CONNECT", request("CONNECT", "a:443"), "x", 200},
	{"CONNECT without a port", request("CONNECT", "a:"), "x", 400},
	{"too little written", get("/short"), get("/"), 200},
}

// lingers is how long net/http, and this project, keep a connection open after its last response.
const lingers = 500 * time.Millisecond

// nethttpLingers are those after whose response net/http at first closes only one half of the
// connection.
var nethttpLingers = map[string]bool{"too large": true, "header too large": true, "body that nobody reads": true}

func answerLast(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/limited":
		if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, 1000)); err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		}
		return
	case "/close":
		w.Header().Set("Connection", "close")
	case "/flush":
		http.NewResponseController(w).Flush()
	case "/read":
		io.Copy(io.Discard, r.Body)
	case "/short":
		w.Header().Set("Content-Length", "100000")
	}
	io.WriteString(w, pattern(5000))
}

// lastResponseReachesAClientThatIsStillSending: RFC 9112, 9.6. If the connection were closed at
// once, the kernel would reset it when more bytes arrive, and the reset may overtake the response.
func lastResponseReachesAClientThatIsStillSending(t *test) {
	s := t.start(&http.Server{MaxHeaderBytes: 4096, Handler: http.HandlerFunc(answerLast)})
	for _, v := range lastRequests {
		if !t.target.Strict && !nethttpLingers[v.name] {
			continue // net/http closes the connection at once
		}
		t.each(v.name, func(t *test) {
			t.Parallel()
			more := strings.Repeat(v.more, (64<<10)/len(v.more))
			for n := 0; n < 3; n++ {
				begin := time.Now()
				c := s.dial(t)
				c.sendBeside(v.head, slices.Repeat([]string{more}, 16)...)
				a := c.answer("POST")
				if a.StatusCode == http.StatusContinue {
					a = c.answer("POST")
				}
				if isReset(a.err) && time.Since(begin) > lingers*4/5 {
					c.Close()
					n-- // this client was too slow
					continue
				}
				if short := v.name == "too little written"; a.StatusCode != v.status || short != (a.err != nil) || isReset(a.err) {
					t.Fatalf("response is %s, %d bytes, %v; want %d", a.Status, len(a.text), a.err, v.status)
				}
				if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
					t.Fatalf("after the response: %.100q, %v", rest, err)
				}
				c.Close()
			}
		})
	}
}
