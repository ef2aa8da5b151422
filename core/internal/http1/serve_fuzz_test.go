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
	"strings"
	"sync"
	"testing"

	"github.com/recycling-go/recycling/core/internal/park"
)

// FuzzServe holds the engine against net/http's server: one connection's input, from the first byte
// to the end of it, the same handler on both sides. The handler must see the same requests, and
// the answers must be the same bytes but for Date. What may differ is in the table of package
// http1's comment, or said at oddity and loose; judge knows it by looking at the input, not by asking the engine.
//
// And without net/http: how the input is cut into reads must mean nothing.
func FuzzServe(f *testing.F) {
	for _, v := range connections() {
		f.Add([]byte(v), []byte{6, 0, 40})
	}
	f.Fuzz(func(t *testing.T, input, cuts []byte) {
		if len(input) < 1<<16 && bytes.Count(input, []byte("\n")) < maxFields { // what is too large is for tests that know the limits
			compareServers(t, input, cuts)
		}
	})
}

func TestServerAgreesWithNetHTTP(t *testing.T) {
	for _, v := range connections() {
		compareServers(t, []byte(v), []byte{0}) // FuzzServe's seeds are cut otherwise
	}
}

// Input that ends early, at whatever byte, is no reason to differ.
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

// A session is what became of a connection.
type session struct {
	seen []seen
	out  string // without Date
}

// seen is what the handler saw of a request.
type seen struct {
	At               int // how long the output was when the handler was called
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
	Partly           bool        // the handler has not read all of the body
	Body             string
	Err              string
	Trailer          http.Header
}

// A recorder is the handler. The path says how it goes about the body and the answer. It uses no http.MaxBytesReader,
// which tells the server what it has found by a method that only net/http can have.
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
		status = http.StatusMethodNotAllowed // 2xx is in the table, and no matter of parsing
	}
	var body io.Reader = r.Body
	mode, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch mode {
	case "none":
		body, s.Partly = nil, true
	case "some":
		body, s.Partly = io.LimitReader(body, 3), true
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
	if body != nil {
		var err error
		s.Body, err = readBody(body, len(r.URL.RawQuery))
		s.Err = class(err)
	}
	s.Trailer = r.Trailer.Clone()
	h.s.seen = append(h.s.seen, s)
	switch mode {
	case "panic":
		panic(http.ErrAbortHandler)
	case "early": // the answer has begun; it says nothing of the body
		return
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

// undated returns s without its Date fields. No body has CRLF in it, but between chunks.
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

// readBody reads all of r. How large its reads are depends on the request.
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

// class is what a handler goes by, not the text.
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

// quiet is for what servers log.
var quiet = log.New(io.Discard, "", 0)

// serveInput lets w serve a connection. Since that cannot be closed halfway it does not linger.
func serveInput(w *Worker, input, cuts []byte) session {
	over := make(chan struct{})
	nc := &memConn{in: input, cuts: cuts, over: sync.OnceFunc(func() { close(over) })}
	h := &recorder{c: nc}
	w.srv.HTTP.Handler = h
	set, err := park.NewSet(park.Config{Removed: func(*park.Conn) {}})
	if err != nil {
		panic(err)
	}
	c := new(Conn)
	c.Init(&Base{Server: w.srv, Context: context.Background()})
	set.Add(&c.Conn, nc)
	w.Serve(c)
	<-over
	return h.session()
}

// netServeInput lets net/http do it.
func netServeInput(input []byte) session {
	over := make(chan struct{})
	nc := &memConn{in: input, over: sync.OnceFunc(func() { close(over) })}
	h := &recorder{c: nc}
	srv := &http.Server{
		Handler:                      h,
		ErrorLog:                     quiet,
		DisableGeneralOptionsHandler: true,
		TLSNextProto:                 map[string]func(*http.Server, *tls.Conn, http.Handler){}, // do not set up HTTP/2
	}
	srv.Serve(&oneListener{halfClosing{nc}})
	<-over
	return h.session()
}
