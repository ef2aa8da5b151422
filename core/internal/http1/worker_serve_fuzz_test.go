package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/recycling-go/recycling/core/internal/park"
)

// FuzzServe compares the engine with net/http's server: the complete input of one connection, with
// the same handler on both sides. The handler must see the same requests, and the responses must be
// the same bytes except for Date. Permitted differences are in the table of package http1's
// comment, or described at oddity and loose. judge determines them from the input, not by asking
// the engine.
//
// Independently of net/http, the result must not depend on how the input is cut into reads.
func FuzzServe(f *testing.F) {
	for _, v := range connections() {
		f.Add([]byte(v), []byte{6, 0, 40})
	}
	f.Add([]byte("O"+strings.Repeat("\xf8", 4095)), []byte{6, 0, 40}) // fills net/http's buffer
	// To net/http this seems to end in empty lines.
	f.Add([]byte("POST / HTTP/1.1\nHost:\n\r\n\r\r\n\n"), []byte{48})
	f.Fuzz(func(t *testing.T, input, cuts []byte) {
		// Larger inputs are for tests that know the limits.
		if len(input) < 1<<16 && bytes.Count(input, []byte("\n")) < maxFields {
			compareServers(t, input, cuts)
		}
	})
}

func TestServerAgreesWithNetHTTP(t *testing.T) {
	for _, v := range connections() {
		compareServers(t, []byte(v), []byte{0}) // FuzzServe cuts its seeds differently
	}
}

// Both servers must agree on input that ends early, at any byte.
func TestServerAgreesWithNetHTTPOnEarlyEnd(t *testing.T) {
	for _, v := range []string{
		"POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: b\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\\\"c\"\r\nhello\r\n00\r\nX: y\r\nZ: z\r\n\r\nGET / HTTP/1.0\nConnection: keep-alive\n\n",
		"PUT /some HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		for n := range len(v) + 1 {
			compareServers(t, []byte(v[:n]), []byte{0})
		}
	}
}

// A session is the outcome of a connection.
type session struct {
	seen []seen
	out  string // without Date
}

// seen is what the handler saw of a request.
type seen struct {
	At               int // length of the output when the handler was called
	Method           string
	RequestURI       string
	URL              url.URL
	Proto            string
	Host             string
	Header           http.Header
	ContentLength    int64
	TransferEncoding []string
	Close            bool
	Declared         http.Header // Trailer before the body was read
	Partly           bool        // the handler has not read the whole body
	Body             string
	Err              string
	Trailer          http.Header
}

// partSize is how much of a body a handler reads that reads only a part.
const partSize = 3

// A recorder is the handler. The path determines what it does with the body and the response. It
// does not use http.MaxBytesReader, which tells the server its result by a method that only
// net/http can have.
type recorder struct {
	c *memConn
	s session
}

func (h *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := seen{
		At: h.c.written(), Method: r.Method, RequestURI: r.RequestURI, URL: *r.URL, Proto: r.Proto, Host: r.Host,
		Header: r.Header.Clone(), ContentLength: r.ContentLength, TransferEncoding: r.TransferEncoding, Close: r.Close,
		Declared: r.Trailer.Clone(),
	}
	status := http.StatusOK
	if r.Method == "CONNECT" {
		status = http.StatusMethodNotAllowed // 2xx is in the table, and not a matter of parsing
	}
	var body io.Reader = r.Body
	mode, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch mode {
	case "none":
		body, s.Partly = nil, true
	case "some", "partly":
		body, s.Partly = io.LimitReader(body, partSize), true
	case "closed":
		r.Body.Close()
		body, s.Partly = nil, true
	case "close":
		r.Body.Close()
	case "early":
		io.WriteString(w, "early ")
		w.(http.Flusher).Flush()
	case "304":
		status = http.StatusNotModified
	case "length":
		w.Header().Set("Content-Length", "3")
	case "bye":
		w.Header().Set("Connection", "close")
	}
	switch {
	case body == nil:
	case mode == "beside":
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.read(body, len(r.URL.RawQuery))
		}()
		<-done
	default:
		s.read(body, len(r.URL.RawQuery))
	}
	if mode == "partly" {
		r.Body.Close()
	}
	if !s.mayBeWhole() {
		s.Trailer = r.Trailer.Clone()
	}
	h.s.seen = append(h.s.seen, s)
	switch mode {
	case "panic":
		panic(http.ErrAbortHandler)
	case "early":
		return // the response has begun, and does not describe the body
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s %q body %q %s trailer %q\n", s.Method, s.RequestURI, s.Body, s.Err, s.Trailer)
	if mode == "long" {
		w.Write(bytes.Repeat([]byte("0123456789abcdef"), 512))
	}
}

// session returns what h has seen, and the output without Date.
func (h *recorder) session() session {
	out := h.c.out.String()
	for i := range h.s.seen {
		h.s.seen[i].At = len(undated(out[:h.s.seen[i].At]))
	}
	h.s.out = undated(out)
	return h.s
}

// undated returns s without its Date fields. Bodies contain CRLF only between chunks.
func undated(s string) string {
	const field = "\r\nDate: "
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, field)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		s = after[strings.Index(after, "\r\n"):]
	}
}

func (s *seen) read(body io.Reader, n int) {
	var err error
	s.Body, err = readBody(body, n)
	s.Err = class(err)
	if s.mayBeWhole() {
		s.Err = "EOF"
	}
}

// mayBeWhole reports whether net/http may have looked ahead in the body beyond what the handler has
// read, and found a fault, or the end and the trailer. The engine does not look ahead, because the
// result would depend on how the input is cut.
func (s *seen) mayBeWhole() bool {
	return s.Partly && len(s.Body) == partSize && len(s.TransferEncoding) > 0
}

// readBody reads all of r. The size of its reads depends on the request.
func readBody(r io.Reader, n int) (string, error) {
	var all []byte
	buf := make([]byte, []int{512, 1, 7, 64}[n%4])
	for {
		n, err := r.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			return string(all), err
		}
	}
}

// class returns the kind of err that handlers can distinguish, not its text.
func class(err error) string {
	switch {
	case err == io.EOF:
		return "EOF"
	case err == io.ErrUnexpectedEOF:
		return "unexpected EOF"
	case err == http.ErrBodyReadAfterClose:
		return "closed"
	}
	return "malformed"
}

// quiet discards what servers log.
var quiet = log.New(io.Discard, "", 0)

// inTime panics unless its timer is stopped in time. Without it a fuzz test hangs, and does not say
// on which input.
func inTime(input []byte) *time.Timer {
	return time.AfterFunc(time.Minute, func() {
		buf := make([]byte, 1<<20)
		panic(fmt.Sprintf("input %q hangs:\n%s", input, buf[:runtime.Stack(buf, true)]))
	})
}

// serveInput lets w serve a connection. It does not wait for the connection to linger, because
// half-closing a halfClosing closes it.
func serveInput(w *Worker, input, cuts []byte) session {
	defer inTime(input).Stop()
	nc, over := newMemConn(input, cuts)
	h := &recorder{c: nc}
	w.srv.HTTP.Handler = h
	set, err := park.NewSet(park.Config{})
	if err != nil {
		panic(err)
	}
	c := &Conn{Scheduler: alone{}}
	c.Init(&ListenerConfig{Server: w.srv, Context: context.Background()})
	set.Add(&c.Conn, halfClosing{nc})
	w.Serve(c)
	<-over
	return h.session()
}

// netServeInput lets net/http serve a connection.
func netServeInput(input []byte) session {
	defer inTime(input).Stop()
	nc, over := newMemConn(input, nil)
	h := &recorder{c: nc}
	srv := &http.Server{
		Handler:                      h,
		ErrorLog:                     quiet,
		DisableGeneralOptionsHandler: true,
		// Do not set up HTTP/2.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	srv.Serve(&oneListener{halfClosing{nc}})
	<-over
	return h.session()
}
