package recyclingtest

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

var wires = []behaviour{
	responseIsByteForByteThatOfNetHTTP,
	everyResponseIsThatOfNetHTTP,
}

var dateLine = regexp.MustCompile(`Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n`)

// exactResponses are responses as net/http writes them, byte for byte except for the time in Date.
var exactResponses = []struct {
	name, request string
	handler       http.HandlerFunc
	response      string
}{
	{
		"empty", get("/"),
		func(w http.ResponseWriter, r *http.Request) {},
		"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 0\r\n\r\n",
	},
	{
		"text", get("/"),
		func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "pong") },
		"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 4\r\nContent-Type: text/plain; charset=utf-8\r\n\r\npong",
	},
	{
		"not found", get("/", "Connection: close"),
		http.NotFound,
		"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n" +
			"Date: D\r\nContent-Length: 19\r\nConnection: close\r\n\r\n404 page not found\n",
	},
	{
		"own header", get("/"),
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Foo", "bar")
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(201)
			io.WriteString(w, "{}")
		},
		"HTTP/1.1 201 Created\r\nCache-Control: no-store\r\nContent-Type: application/json\r\nX-Foo: bar\r\n" +
			"Date: D\r\nContent-Length: 2\r\n\r\n{}",
	},
	{
		"own length", get("/"),
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "4")
			io.WriteString(w, "pong")
		},
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nDate: D\r\nContent-Type: text/plain; charset=utf-8\r\n\r\npong",
	},
	{
		"flushed", get("/"),
		func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "po")
			w.(http.Flusher).Flush()
			io.WriteString(w, "ng")
		},
		"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"2\r\npo\r\n2\r\nng\r\n0\r\n\r\n",
	},
	{
		"flushed close", get("/", "Connection: close"),
		func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "po")
			w.(http.Flusher).Flush()
		},
		"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"2\r\npo\r\n0\r\n\r\n",
	},
	{
		"HEAD", request("HEAD", "/"),
		func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "pong") },
		"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 4\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
	},
	{
		"no content", get("/"),
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) },
		"HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n",
	},
	{
		"not modified", get("/"),
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Etag", `"1"`)
			w.WriteHeader(304)
		},
		"HTTP/1.1 304 Not Modified\r\nEtag: \"1\"\r\nDate: D\r\n\r\n",
	},
	{
		"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n",
		func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "pong") },
		"HTTP/1.0 200 OK\r\nDate: D\r\nContent-Length: 4\r\nContent-Type: text/plain; charset=utf-8\r\n\r\npong",
	},
	{
		"HTTP/1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "pong") },
		"HTTP/1.0 200 OK\r\nDate: D\r\nContent-Length: 4\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: keep-alive\r\n\r\npong",
	},
	{
		"own status", get("/"),
		func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(799) },
		"HTTP/1.1 799 status code 799\r\nDate: D\r\nContent-Length: 0\r\n\r\n",
	},
	{
		"trailer", get("/"),
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "pong")
			w.Header().Set("X-Sum", "4")
		},
		"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nDate: D\r\nContent-Type: text/plain; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"4\r\npong\r\n0\r\nX-Sum: 4\r\n\r\n",
	},
	{
		"expectation failed", get("/", "Expect: x"),
		func(w http.ResponseWriter, r *http.Request) {},
		"HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nDate: D\r\nContent-Length: 0\r\n\r\n",
	},
}

func responseIsByteForByteThatOfNetHTTP(t *test) {
	for _, r := range exactResponses {
		t.each(r.name, func(t *test) {
			c := t.serve(r.handler).dial(t)
			c.send(r.request)
			c.halfClose()
			if got := dateLine.ReplaceAllString(c.rest(), "Date: D\r\n"); got != r.response {
				t.Errorf("response is\n%q, want\n%q", got, r.response)
			}
		})
	}
}

// everyResponseIsThatOfNetHTTP sends each of a set of requests to each of a set of handlers. It
// compares the responses, and whether the connection is closed, with net/http. Only the boundaries
// of chunks may differ.
func everyResponseIsThatOfNetHTTP(t *test) {
	all := maps.Clone(plainHandlers)
	maps.Copy(all, variedHandlers)
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all[r.URL.Query().Get("handler")](w, r)
	})
	target, control := t.start(&http.Server{Handler: h}), t.expected(h)
	for name := range all {
		t.each(name, func(t *test) {
			query := "/?" + url.Values{"handler": {name}}.Encode()
			for _, raw := range variedRequests {
				raw = strings.Replace(raw, " / ", " "+query+" ", 1) + get(query, "Connection: close")
				got, want := target.transcript(t, raw), control(t, raw)
				if got != want {
					t.Errorf("%q is answered with\n%q, want\n%q", raw, got, want)
				}
			}
		})
	}
}

var variedRequests = []string{
	get("/"),
	get("/", "Connection: close"),
	get("/", "Connection: keep-alive"),
	request("HEAD", "/"),
	request("HEAD", "/", "Connection: close"),
	"GET / HTTP/1.0\r\n\r\n",
	"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	"GET / HTTP/1.0\r\nConnection: close\r\n\r\n",
	"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	post("/", "body"),
	chunked("/", "bo", "dy"),
	"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody",
	post("/", "body", "Expect: 100-continue"),
	request("OPTIONS", "/"),
}

// transcripts are net/http's transcripts, by behaviour and request. They are recorded once for each
// process, so that all runs of the suite compare with the same ones.
var transcripts sync.Map

// expected returns a function that returns the transcript of net/http with the handler h.
func (t *test) expected(h http.Handler) func(t *test, raw string) string {
	s, behaviour := t.startOn(NetHTTP(), &http.Server{Handler: h}), t.path
	return func(t *test, raw string) string {
		t.Helper()
		key := behaviour + " " + raw
		known, ok := transcripts.Load(key)
		if !ok {
			known, _ = transcripts.LoadOrStore(key, s.transcript(t, raw))
		}
		return known.(string)
	}
}

// transcript returns all that s sends in response to raw until the connection is closed, without
// Date and chunk boundaries.
func (s *server) transcript(t *test, raw string) string {
	t.Helper()
	c := s.dial(t)
	defer c.Close()
	c.send(raw)
	method, _, _ := strings.Cut(raw, " ")
	all := dateLine.ReplaceAllString(c.rest(), "Date: D\r\n")
	var b strings.Builder
	r := bufio.NewReader(strings.NewReader(all))
	for {
		var head strings.Builder
		for {
			line, err := r.ReadString('\n')
			head.WriteString(line)
			if line == "\r\n" || err != nil {
				break
			}
		}
		if head.Len() == 0 {
			return b.String()
		}
		b.WriteString(head.String())
		if strings.HasPrefix(head.String(), "HTTP/1.1 1") {
			continue
		}
		whole := io.MultiReader(strings.NewReader(head.String()), r)
		rest := bufio.NewReader(whole)
		resp, err := http.ReadResponse(rest, &http.Request{Method: method})
		if err != nil {
			fmt.Fprintf(&b, "<%v in %q>", err, head.String())
			return b.String()
		}
		body, err := io.ReadAll(resp.Body)
		fmt.Fprintf(&b, "<%s> %v %v\r\n", body, err, resp.Trailer)
		r, method = rest, "GET"
	}
}

// big is a body that is too long for a calculated Content-Length. It is not a part of pattern,
// which is too long to be created before anything runs.
var big = numbers(5000)

// plainHandlers are handlers that do not set header fields.
var plainHandlers = map[string]http.HandlerFunc{
	"nothing":      func(w http.ResponseWriter, r *http.Request) {},
	"write":        func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "text") },
	"write twice":  func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "te"); io.WriteString(w, "xt") },
	"write html":   func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>") },
	"write 2048":   func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, big[:2048]) },
	"write 2049":   func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, big[:2049]) },
	"write 5000":   func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, big) },
	"write empty":  func(w http.ResponseWriter, r *http.Request) { w.Write(nil) },
	"read body":    echoBody,
	"flush":        func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush() },
	"write, flush": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "text"); w.(http.Flusher).Flush() },
	"flush, write": func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); io.WriteString(w, "text") },
	"status 204":   func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) },
	"status 304":   func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(304); io.WriteString(w, "text") },
	"status 404":   http.NotFound,
	"redirect":     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusSeeOther) },
	"read after":   func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200); io.Copy(w, r.Body) },
	"close body":   func(w http.ResponseWriter, r *http.Request) { r.Body.Close(); io.WriteString(w, "text") },
}

// variedHandlers are plain handlers that set a header field.
var variedHandlers = map[string]http.HandlerFunc{
	"length": with("write", "Content-Length", "4"), "length flush": with("flush, write", "Content-Length", "4"),
	"length short": with("write", "Content-Length", "5"), "length long": with("write", "Content-Length", "3"),
	"length 0": with("nothing", "Content-Length", "0"), "length empty": with("write", "Content-Length", ""),
	"length and 204":    with("status 204", "Content-Length", "4"),
	"length of nothing": with("nothing", "Content-Length", "4"),
	"close":             with("write", "Connection", "close"), "close 5000": with("write 5000", "Connection", "close"),
	"Close": with("write", "Connection", "Close"), "hop": with("write", "Connection", "X-Hop"),
	"hop, close": with("write", "Connection", "X-Hop, close"), "keep-alive": with("write", "Connection", "keep-alive"),
	"keep-alive 5000": with("write 5000", "Connection", "keep-alive"), "close 204": with("status 204", "Connection", "close"),
	"type": with("write", "Content-Type", "x/y"), "type empty": with("write", "Content-Type", ""),
	"type and 204": with("status 204", "Content-Type", "x/y"), "type and 304": with("status 304", "Content-Type", "x/y"),
	"encoded": with("write", "Content-Encoding", "gzip"), "identity": with("write", "Transfer-Encoding", "identity"),
	"identity nothing": with("nothing", "Transfer-Encoding", "identity"), "chunked": with("write", "Transfer-Encoding", "chunked"),
	"chunked nothing": with("nothing", "Transfer-Encoding", "chunked"), "own coding": with("write", "Transfer-Encoding", "gzip"),
	"coding and 204": with("status 204", "Transfer-Encoding", "chunked"), "date": with("write", "Date", "now"),
	"trailer": with("write", "Trailer", "X-A"), "trailer nothing": with("nothing", "Trailer", "X-A"),
	"prefixed trailer": with("write", http.TrailerPrefix+"X-A", "1"),
	"injection":        with("write", "X-A", "1\r\nX-B: 2"), "bad name": with("write", "X A", "1"),
	"upgrade": with("write", "Upgrade", "x"), "etag": with("status 304", "Etag", "x"),
}

// with returns a plain handler that sets a header field first.
func with(name, key, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header()[key] = []string{value}
		plainHandlers[name](w, r)
		if key == "Trailer" {
			w.Header().Set("X-A", "1")
		}
	}
}
