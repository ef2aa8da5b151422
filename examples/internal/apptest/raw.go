package apptest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// get returns a request for path, which is the last request of its connection. It sets
// X-Request-Id, because the frameworks would choose a random one.
func get(path string, header ...string) string { return send("GET", path, "", header...) }

func send(method, path, body string, header ...string) string {
	return keep(method, path, body, append(header, "Connection: close")...)
}

// keep returns a request that keeps its connection open for the next one.
func keep(method, path, body string, header ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: example.test\r\nX-Request-Id: 1\r\n", method, path)
	for _, line := range header {
		fmt.Fprintf(&b, "%s\r\n", line)
	}
	if body != "" && !strings.Contains(b.String(), "chunked") {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	fmt.Fprintf(&b, "\r\n%s", body)
	return b.String()
}

const chunked = "Transfer-Encoding: chunked"

// conversations are what clients send, each on its own connection, which the server closes at the
// end. Responses that stream are split into chunks depending on timing, so chunk boundaries are not
// compared.
var conversations = []struct {
	name    string
	request string
	streams bool
}{
	{name: "get", request: get("/yo?name=Dude")},
	{name: "get nothing", request: get("/yo")},
	{name: "get escaped", request: get("/yo?name=Jos%C3%A9+%25s")},
	{name: "get absolute", request: get("http://other.test/yo")},
	{name: "get with empty query", request: get("/yo?")},
	{name: "get with bad query", request: get("/yo?name=%zz&x;y")},
	{name: "get with a body", request: send("GET", "/yo", "body")},
	{name: "get with headers in any case", request: get("/yo", "aCCept: */*", "X-A: 1", "x-a: 2")},
	{name: "get with white space in a header", request: get("/yo", "X-A: \t value \t ")},
	{name: "get with big header", request: get("/yo", "X-Big: "+strings.Repeat("x", 60_000))},
	{name: "get with many headers", request: get("/yo", strings.Split(strings.Repeat("X-A: 1\n", 199)+"X-A: 1", "\n")...)},
	{name: "trailing slash", request: get("/yo/")},
	{name: "double slash", request: get("//yo")},
	{name: "dots", request: get("/x/../yo")},
	{name: "not found", request: get("/none")},
	{name: "root not found", request: get("/")},
	{name: "escaped slash", request: get("/sleep%2F1")},
	{name: "bad parameter", request: get("/sleep/soon")},
	{name: "parameter out of range", request: get("/work/10001")},
	{name: "sleep", request: get("/sleep/10")},
	{name: "work", request: get("/work/1")},
	{name: "head", request: send("HEAD", "/yo", "")},
	{name: "head not found", request: send("HEAD", "/none", "")},
	{name: "head download", request: send("HEAD", "/download?bytes=10", "")},
	{name: "method not allowed", request: send("DELETE", "/yo", "")},
	{name: "put to get", request: send("PUT", "/yo", "body")},
	{name: "get of post", request: get("/echo")},
	{name: "patch", request: send("PATCH", "/echo", "body")},
	{name: "options", request: send("OPTIONS", "/yo", "")},
	{name: "options of all", request: send("OPTIONS", "*", "")},
	{name: "trace", request: send("TRACE", "/yo", "")},
	{name: "unknown method", request: send("BREW", "/yo", "")},
	{name: "connect", request: send("CONNECT", "example.test:80", "")},
	{name: "post", request: send("POST", "/echo", "Hey Dude!", "Content-Type: text/plain"), streams: true},
	{name: "post nothing", request: send("POST", "/echo", "", "Content-Length: 0")},
	{name: "post without length", request: send("POST", "/echo", "")},
	{name: "post large", request: send("POST", "/echo", strings.Repeat("0123456789abcdef", 64<<10)), streams: true},
	{name: "chunked upload", request: send("POST", "/echo", "4\r\nHey \r\n5;x=y\r\nDude!\r\n0\r\n\r\n", chunked), streams: true},
	{name: "chunked upload with trailer", request: send("POST", "/echo", "3\r\nHey\r\n0\r\nX-T: 1\r\n\r\n", chunked, "Trailer: X-T"), streams: true},
	{name: "chunked upload of nothing", request: send("POST", "/echo", "0\r\n\r\n", chunked)},
	{name: "chunked upload large", request: send("POST", "/echo", strings.Repeat("1000\r\n"+strings.Repeat("x", 4096)+"\r\n", 64)+"0\r\n\r\n", chunked), streams: true},
	{name: "unread body", request: keep("POST", "/yo", strings.Repeat("x", 1000)) + get("/yo")},
	{name: "unread large body", request: send("POST", "/yo", strings.Repeat("x", 200_000))},
	{name: "pipelined", request: keep("GET", "/yo?name=1", "") + keep("GET", "/none", "") + get("/yo?name=2")},
	{name: "pipelined with bodies", request: keep("POST", "/echo", "one") + keep("POST", "/echo", "3\r\ntwo\r\n0\r\n\r\n", chunked) + get("/yo"), streams: true},
	{name: "pipelined with head", request: keep("HEAD", "/yo", "") + keep("HEAD", "/yo", "") + send("HEAD", "/yo", "")},
	{name: "HTTP/1.0", request: "GET /yo HTTP/1.0\r\nX-Request-Id: 1\r\n\r\n"},
	{name: "HTTP/1.0 with host", request: "GET /yo HTTP/1.0\r\nHost: example.test\r\nX-Request-Id: 1\r\n\r\n"},
	{name: "HTTP/1.0 that stays", request: "GET /yo HTTP/1.0\r\nX-Request-Id: 1\r\nConnection: keep-alive\r\n\r\nGET /yo HTTP/1.0\r\nX-Request-Id: 1\r\n\r\n"},
	{name: "HTTP/1.0 events", request: "GET /events?n=1 HTTP/1.0\r\nX-Request-Id: 1\r\n\r\n"},
	{name: "HTTP/1.0 post", request: "POST /echo HTTP/1.0\r\nX-Request-Id: 1\r\nContent-Length: 3\r\n\r\nyo!"},
	{name: "expect", request: send("POST", "/echo", "Hey Dude!", "Expect: 100-continue"), streams: true},
	{name: "expect where nothing is read", request: send("POST", "/yo", "Hey Dude!", "Expect: 100-continue")},
	{name: "expect something else", request: send("POST", "/echo", "Hey Dude!", "Expect: miracles")},
	{name: "events", request: get("/events?n=2"), streams: true},
	{name: "events pipelined", request: keep("GET", "/events?n=1", "") + get("/yo"), streams: true},
	{name: "events that are too many", request: get("/events?n=1001")},
	{name: "download", request: get("/download?bytes=100000")},
	{name: "download nothing", request: get("/download?bytes=0")},
	{name: "download a range", request: get("/download?bytes=100", "Range: bytes=10-19")},
	{name: "download much", request: get("/download?bytes=5000000")},
	{name: "download twice", request: keep("GET", "/download?bytes=5000", "") + get("/download?bytes=5000")},
	{name: "upgrade refused", request: get("/yo", "Upgrade: websocket")},
	{name: "no host", request: "GET /yo HTTP/1.1\r\n\r\n"},
	{name: "two hosts", request: get("/yo", "Host: other.test")},
	{name: "bad host", request: "GET /yo HTTP/1.1\r\nHost: a b\r\n\r\n"},
	{name: "unknown version", request: "GET /yo HTTP/3.7\r\nHost: example.test\r\n\r\n"},
	{name: "HTTP/2 preface", request: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	{name: "no version", request: "GET /yo\r\n\r\n"},
	{name: "no request", request: "\x16\x03\x01 TLS?\r\n\r\n"},
	{name: "no colon", request: get("/yo", "nocolon")},
	{name: "space before the colon", request: get("/yo", "X-A : 1")},
	{name: "bad header name", request: get("/yo", "X(A): 1")},
	{name: "bad header value", request: get("/yo", "X-A: \x00")},
	{name: "bad length", request: send("POST", "/echo", "", "Content-Length: ten")},
	{name: "two lengths", request: send("POST", "/echo", "", "Content-Length: 1", "Content-Length: 2")},
	{name: "unknown coding", request: send("POST", "/echo", "", "Transfer-Encoding: gzip")},
	{name: "header too large", request: get("/yo", "X-Big: "+strings.Repeat("x", 1100_000))},
	{name: "malformed after a good one", request: keep("GET", "/yo", "") + "BAD\r\n\r\n"},
}

// Hear returns what the program at base sends in every conversation, by the name of the
// conversation.
func Hear(t *testing.T, base string) map[string]string {
	var mu sync.Mutex // guards answers
	answers := make(map[string]string)
	var wg sync.WaitGroup
	for _, c := range conversations {
		wg.Go(func() {
			answer, err := hear(strings.TrimPrefix(base, "http://"), c.request)
			if err == nil && c.streams {
				answer, err = join(answer)
			}
			if err != nil {
				t.Errorf("%s: %v; the answer is %.500q", c.name, err, answer)
			}
			mu.Lock()
			defer mu.Unlock()
			answers[c.name] = string(varying.ReplaceAll(answer, nil))
		})
	}
	wg.Wait()
	return answers
}

// varying matches the lines that differ each time: the date, which net/http omits when it refuses a
// request, and the ids of requests that have none.
var varying = regexp.MustCompile(`(?m)^(Date: .{29}|X-Request-Id: \w{20,})\r\n`)

// hear sends a request and returns everything that the server sends.
func hear(addr, request string) ([]byte, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	// The server may respond, and stop reading, before it has received the whole request.
	go io.WriteString(nc, request)
	answer, err := io.ReadAll(nc)
	if len(answer) > 0 {
		err = nil // the server may reset the connection after its response
	}
	return answer, err
}

// join returns the responses with each body in one piece.
func join(answer []byte) ([]byte, error) {
	var out bytes.Buffer
	r := bufio.NewReader(bytes.NewReader(answer))
	for {
		if _, err := r.Peek(1); err == io.EOF {
			return out.Bytes(), nil
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return answer, err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return answer, err
		}
		fmt.Fprintf(&out, "%s %s %v %v\n", resp.Proto, resp.Status, resp.TransferEncoding, resp.ContentLength)
		resp.Header.Write(&out)
		fmt.Fprintf(&out, "close: %t\n\n%s\n", resp.Close, body)
	}
}
