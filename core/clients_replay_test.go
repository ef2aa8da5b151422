package recycling_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// ---- replaying ----

// A replay is a server that responds to a request for /n with the nth response, byte for byte. It
// keeps the connection open if a client can find the end of the response without that.
type replay struct {
	net.Listener
	all []*exchange

	mu       sync.Mutex // guards the following
	accepted int
	conns    map[net.Conn]bool // the open ones
	ended    bool
}

func newReplay(t *testing.T, all []*exchange) *replay {
	l, err := listenNet()
	if err != nil {
		t.Fatal(err)
	}
	s := &replay{Listener: l, all: all, conns: make(map[net.Conn]bool)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.accepted++
			s.conns[c] = true
			if s.ended {
				c.Close()
			}
			s.mu.Unlock()
			serving.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		s.ended = true
		for c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		serving.Wait()
	})
	return s
}

// connections returns the number of connections so far.
func (s *replay) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

func (s *replay) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		io.Copy(io.Discard, req.Body)
		n, err := strconv.Atoi(strings.TrimPrefix(req.RequestURI, "/"))
		if err != nil || n >= len(s.all) || req.Method != s.all[n].method {
			io.WriteString(c, "HTTP/1.1 400 not a response's number, or not its method\r\nConnection: close\r\n\r\n")
			return
		}
		if _, err := c.Write(s.all[n].raw); err != nil || !s.all[n].framed {
			return
		}
	}
}
