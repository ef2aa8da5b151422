package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"
)

// capacity is how many requests /limited handles at once. Each takes pace.
const (
	capacity = 4
	pace     = 20 * time.Millisecond
)

// handler returns the handler that the processes serve.
func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	for path, f := range map[string]http.HandlerFunc{
		"/{$}": answerOK, "/healthz": answerOK,
		"/echo": echo, "/mutate": mutate, "/recurse": recursive, "/inject": inject, "/leak": leak, "/limited": s.limited,
		"/read": s.read, "/big": s.big, "/stream": s.stream, "/hang": s.hang, "/hijack": s.hijack, "/count": s.count,
		"/panic": s.panics, "/frame": s.frame, "/twice": twice,
		"/goexit": func(http.ResponseWriter, *http.Request) { runtime.Goexit() },
		"/unread": func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "unread") },
	} {
		mux.HandleFunc(path, f)
	}
	// A mux cleans paths and treats "*" and CONNECT in its own way. The rows do not test that.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "CONNECT" || r.URL.Path == "*" {
			answerOK(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func answerOK(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }

// echo responds with its query, a canary.
func echo(w http.ResponseWriter, r *http.Request) {
	if d, err := time.ParseDuration(r.FormValue("wait")); err == nil {
		time.Sleep(d)
	}
	io.WriteString(w, r.FormValue("q"))
}

func mutate(w http.ResponseWriter, r *http.Request) {
	r.Header.Set("X-Mine", "kept")
	r.Header = nil
	r.Body = nil
	r.Close = false
	r.URL = nil
	io.WriteString(w, "mutated")
}

// recursive uses the number of megabytes of stack that the request asks for.
func recursive(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("mb"))
	fmt.Fprint(w, recurse(n<<10) > 0)
}

func recurse(depth int) int {
	var frame [1024]byte
	if depth == 0 {
		return 1
	}
	frame[depth%1024] = 1
	return recurse(depth-1) + int(frame[(depth+1)%1024])
}

func inject(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Value", "a\r\nInjected: 1")
	h["X-Nul"] = []string{"a\x00b"} // both servers send it as it is
	h["X-Name\r\nInjected"] = []string{"1"}
	h["X-Colon: 1\r\nInjected"] = []string{"1"}
	io.WriteString(w, "ok")
}

// leak panics after it has set headers that must not be in the next response.
func leak(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Leak", "1")
	w.Header().Set("Content-Type", "x/leak")
	w.WriteHeader(http.StatusTeapot)
	io.WriteString(w, "leak")
	panic(http.ErrAbortHandler)
}

func twice(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	w.WriteHeader(http.StatusTeapot)
	io.WriteString(w, "ok")
}

// limited uses a scarce resource.
func (s *service) limited(w http.ResponseWriter, r *http.Request) {
	select {
	case s.slots <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	time.Sleep(pace)
	<-s.slots
	io.WriteString(w, "ok")
}

// count counts the request before it responds.
func (s *service) count(w http.ResponseWriter, r *http.Request) {
	s.seen("counted")
	io.WriteString(w, r.FormValue("q"))
}

// read reads the whole body, and counts how that ended.
func (s *service) read(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	switch {
	case err == nil:
		s.seen("read all")
	case errors.Is(err, io.ErrUnexpectedEOF):
		s.seen("read cut")
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.seen("read timeout")
	default:
		s.seen("read error")
	}
	if err != nil {
		http.Error(w, "bad body", http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, n)
}

var block = bytes.Repeat([]byte("0123456789abcdef"), 4096)

// big writes the number of bytes that the request asks for.
func (s *service) big(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("n"))
	w.Header().Set("Content-Length", strconv.Itoa(n))
	for n > 0 {
		b := block[:min(n, len(block))]
		if _, err := w.Write(b); err != nil {
			s.seen("write failed")
			return
		}
		n -= len(b)
	}
	s.seen("written")
}

// stream writes until that fails, and then waits until its context ends.
func (s *service) stream(w http.ResponseWriter, r *http.Request) {
	for {
		if _, err := w.Write(block); err != nil {
			break
		}
	}
	s.seen("write failed")
	select {
	case <-r.Context().Done():
		s.seen("cancelled")
	case <-time.After(patience):
		s.seen("not cancelled")
	}
}

// hang waits for the command "release", or for the end of its context, unless the request says
// forever.
func (s *service) hang(w http.ResponseWriter, r *http.Request) {
	s.seen("hang")
	ctx := r.Context()
	if r.FormValue("forever") != "" {
		ctx = context.Background()
	}
	select {
	case <-s.released:
		io.WriteString(w, "released")
	case <-ctx.Done():
		s.seen("cancelled")
	}
}

// hijack echoes what the client sends, or only holds the connection until "release".
func (s *service) hijack(w http.ResponseWriter, r *http.Request) {
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		s.seen("hijack failed")
		return
	}
	s.seen("hijacked")
	if r.FormValue("keep") != "" {
		go s.keep(c)
		return
	}
	defer c.Close()
	io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	io.Copy(c, rw)
}

func (s *service) keep(c net.Conn) {
	<-s.released
	c.Close()
}

func (s *service) panics(w http.ResponseWriter, r *http.Request) {
	switch r.FormValue("how") {
	case "before":
		panic("before the header")
	case "header":
		w.Header().Set("X-Leak", "1")
		io.WriteString(w, "part")
		w.(http.Flusher).Flush()
		panic("after the header")
	case "hijack":
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			defer c.Close()
		}
		panic("after Hijack")
	case "nil":
		panic(nil)
	case "abort":
		panic(http.ErrAbortHandler)
	}
}

// frame announces one length of its response and sends another.
func (s *service) frame(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	write := func(text string) {
		if _, err := io.WriteString(w, text); err != nil {
			s.seen("refused write")
		}
	}
	switch r.FormValue("how") {
	case "short":
		h.Set("Content-Length", "10")
		write("12345")
	case "long":
		h.Set("Content-Length", "5")
		write("12345")
		write("6789")
	case "204", "304":
		code, _ := strconv.Atoi(r.FormValue("how"))
		h.Set("Transfer-Encoding", "chunked")
		w.WriteHeader(code)
		write("a body")
	case "te":
		h.Set("Transfer-Encoding", "gzip, identity")
		write("ok")
	case "99":
		w.WriteHeader(99)
	}
}
