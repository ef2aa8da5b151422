package recycling_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// These tests are about how a connection ends while its client is still sending, where the
// behaviours of package recyclingtest do not check that.

// A wholeConn cannot be closed for writing only.
type wholeConn struct{ net.Conn }

type wholeListener struct{ net.Listener }

func (l wholeListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return wholeConn{c}, nil
}

// on returns m with its listener wrapped.
func (m mode) on(name string, wrap func(net.Listener) net.Listener) mode {
	listen := m.listen
	m.name += name
	m.parks = false
	m.listen = func() (net.Listener, error) {
		l, err := listen()
		if err != nil {
			return nil, err
		}
		return wrap(l), nil
	}
	return m
}

// sendMore sends raw and then a megabyte of more. Meanwhile it reads the response, which must be
// complete.
func (c *client) sendMore(raw, more string, status int) {
	c.t.Helper()
	go io.WriteString(c, raw+strings.Repeat(more, (1<<20)/len(more)))
	if res, _ := c.response(); res.StatusCode != status || !res.Close {
		c.t.Errorf("%.40q: answered with %s, Connection: close %v; want %d", raw, res.Status, res.Close, status)
	}
	c.Close()
}

// lastRequests are requests to which respond gives the last response of their connection.
var lastRequests = []struct {
	raw, more string
	status    int
}{
	{with("Content-Length: 2000000", "Expect: x"), "x", http.StatusExpectationFailed},
	{with("Content-Length: 2000000"), "x", http.StatusOK},
	{"GET /close HTTP/1.1\r\nHost: test\r\n\r\n", get, http.StatusOK},
	{with("Content-Length: 2000000", "Connection: close"), "x", http.StatusOK},
}

func respond(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/close" {
		w.Header().Set("Connection", "close")
	}
	w.Header().Set("Content-Length", "5000")
	io.WriteString(w, strings.Repeat("x", 5000))
}

// The client sends more while its last request is being served, after the last read of it.
func TestLastResponseIsReadableAlthoughMoreCameMeanwhile(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		t.Parallel()
		begun, sent := make(chan struct{}), make(chan struct{})
		s := m.start(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			begun <- struct{}{}
			<-sent
			io.WriteString(w, "served")
		})
		for range 20 {
			c := s.dial(t)
			io.WriteString(c, with("Content-Length: 1", "Connection: close")+"x")
			<-begun
			io.WriteString(c, "\r\n")
			sent <- struct{}{}
			if _, body := c.response(); body != "served" {
				t.Errorf("got %q", body)
			}
			c.Close()
		}
	})
}

func TestLastResponseIsReadableWithoutHalfClose(t *testing.T) {
	parallel(t)
	wrap := func(l net.Listener) net.Listener { return wholeListener{l} }
	forEach(t, []mode{recyclingNet.on("-whole", wrap), poolOwn.on("-whole", wrap)}, func(t *testing.T, m mode) {
		t.Parallel()
		s := m.start(t, &recycling.Server{HTTP: quiet()}, respond)
		for _, v := range lastRequests {
			for range 3 {
				s.dial(t).sendMore(v.raw, v.more, v.status)
			}
		}
	})
}

func TestLastResponseIsReadableOverTLS(t *testing.T) {
	parallel(t)
	tlsOn := func(l net.Listener) net.Listener { return tls.NewListener(l, serverKeys()) }
	for name, start := range map[string]func(t *testing.T) *instance{
		"ServeTLS": func(t *testing.T) *instance {
			return recyclingOwn.startTLS(t, &recycling.Server{HTTP: quiet()}, respond)
		},
		"listener": func(t *testing.T) *instance {
			return recyclingNet.on("-tls", tlsOn).start(t, &recycling.Server{HTTP: quiet()}, respond)
		},
		"fixed": func(t *testing.T) *instance {
			return poolOwn.on("-tls", tlsOn).start(t, &recycling.Server{HTTP: quiet()}, respond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			for _, v := range lastRequests {
				for range 3 {
					s.dial(t).shake().sendMore(v.raw, v.more, v.status)
				}
			}
		})
	}
}

func TestLastRequestOfMaxRequestsPerConnIsAnsweredReadably(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxRequestsPerConn: 1}}, respond)
		for range 3 {
			s.dial(t).sendMore(get, get, http.StatusOK)
		}
	})
}

// A lingering connection holds no worker, and ends by itself.
func TestConnectionThatLingersHoldsNoWorker(t *testing.T) {
	parallel(t)
	forEach(t, parkModes, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxWorkers: 1}, Standby: 1}, respond)
		var all []*client
		for range 20 {
			c := s.dial(t)
			c.send("GET /close HTTP/1.1\r\nHost: test\r\n\r\n")
			c.response()
			all = append(all, c)
		}
		s.dial(t).get("/")
		s.await(t, "the connections' end", func(st recycling.Stats) bool { return st.Open <= 1 })
		for _, c := range all {
			c.ended()
		}
	})
}
