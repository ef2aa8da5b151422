package server

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/pool/goroutine"
	"go.uber.org/zap"
)

// gnet reports events of connections and has no HTTP server, so this is a minimal one. It parses
// the request line, looks for Connection in the header fields, and responds with the same header as
// net/http. It does not support bodies, and validates little of what it reads.
func (c config) gnet() error {
	s := &gnetServer{rounds: c.rounds}
	quiet := zap.NewNop().Sugar() // the default logs to standard output, which the parent reads
	return gnet.Run(s, "tcp://"+c.addr, gnet.WithNumEventLoop(runtime.GOMAXPROCS(0)), gnet.WithLogger(quiet))
}

type gnetServer struct {
	gnet.BuiltinEventEngine
	rounds int // of a millisecond of work
}

// A gnetConn is the state of one connection. The connection's event loop owns it.
type gnetConn struct {
	busy bool // a goroutine of the pool is handling a request
	out  []byte
}

func (s *gnetServer) OnBoot(e gnet.Engine) gnet.Action {
	fd, err := e.Dup()
	if err != nil {
		return gnet.Shutdown
	}
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return gnet.Shutdown
	}
	defer l.Close()
	announce(l.Addr())
	return gnet.None
}

func (s *gnetServer) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	c.SetContext(new(gnetConn))
	return nil, gnet.None
}

// OnTraffic handles the requests that have arrived. Work that blocks or computes runs in gnet's
// pool of goroutines, as its documentation advises, so that it does not block the event loop.
func (s *gnetServer) OnTraffic(c gnet.Conn) gnet.Action {
	state := c.Context().(*gnetConn)
	for !state.busy && c.InboundBuffered() > 0 {
		in, err := c.Peek(-1)
		if err != nil {
			return gnet.Close
		}
		r, n, err := parseRequest(in)
		if err != nil {
			return gnet.Close
		}
		if n == 0 { // the rest has not arrived yet
			return gnet.None
		}
		var work func(gnet.Conn, bool)
		if !r.yo {
			work = s.work(string(r.path)) // a copy, because r.path is not valid after Discard
		}
		if _, err := c.Discard(n); err != nil {
			return gnet.Close
		}
		if work != nil {
			state.busy = true
			if goroutine.DefaultWorkerPool.Submit(func() { work(c, r.close) }) != nil {
				return gnet.Close
			}
			return gnet.None
		}
		status, body := http.StatusNotFound, "not found"
		if r.yo {
			status, body = http.StatusOK, "Hey!"
		}
		state.out = appendAnswer(state.out[:0], status, body, r.close)
		if _, err := c.Write(state.out); err != nil || r.close {
			return gnet.Close
		}
	}
	return gnet.None
}

// work returns the function that a goroutine runs for a request, or nil if the path needs none.
func (s *gnetServer) work(path string) func(c gnet.Conn, last bool) {
	var (
		body string
		do   func() error
	)
	if ms, ok := strings.CutPrefix(path, "/sleep/"); ok {
		body, do = "slept", func() error { return pause(ms) }
	} else if ms, ok := strings.CutPrefix(path, "/work/"); ok {
		body, do = "worked", func() error { return compute(ms, s.rounds) }
	} else {
		return nil
	}
	return func(c gnet.Conn, last bool) {
		status := http.StatusOK
		if err := do(); err != nil {
			status, body = http.StatusBadRequest, err.Error()
		}
		c.AsyncWrite(appendAnswer(nil, status, body, last), func(c gnet.Conn, err error) error {
			switch {
			case err != nil || last:
				return c.Close()
			case c.InboundBuffered() > 0:
				defer c.Wake(nil) // for a request that arrived meanwhile
			}
			c.Context().(*gnetConn).busy = false
			return nil
		})
	}
}

// A request is a parsed header. It is valid as long as the bytes that it was parsed from.
type request struct {
	path  []byte
	yo    bool // the path is /yo
	close bool // it is the last request of its connection
}

var errRequest = errors.New("not a GET request of HTTP/1.1")

// parseRequest parses the header of the first request in b, and returns the length of the header,
// or zero if b does not have the whole header.
func parseRequest(b []byte) (r request, n int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return r, 0, nil
	}
	line, rest, _ := bytes.Cut(b[:end], []byte("\r\n"))
	method, target, _ := bytes.Cut(line, []byte(" "))
	path, version, _ := bytes.Cut(target, []byte(" "))
	if string(method) != "GET" || string(version) != "HTTP/1.1" {
		return r, 0, errRequest
	}
	r.path, r.yo = path, string(path) == "/yo"
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return r, 0, errRequest
		}
		if bytes.EqualFold(name, []byte("Connection")) && bytes.EqualFold(bytes.TrimSpace(value), []byte("close")) {
			r.close = true
		}
	}
	return r, end + len("\r\n\r\n"), nil
}

// appendAnswer appends the response that net/http would send.
func appendAnswer(b []byte, status int, body string, last bool) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	b = append(b, "\r\nDate: "...)
	b = time.Now().UTC().AppendFormat(b, http.TimeFormat)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\nContent-Type: text/plain; charset=utf-8\r\n"...)
	if last {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, body...)
}
