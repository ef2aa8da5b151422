package recycling_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// credentials returns the configs of a server and of a client that trusts it.
func credentials() (server, client *tls.Config) {
	k := keyrings()
	return k.server, k.client
}

// modesOverTLS returns the strategies on TLS listeners with these protocols.
func modesOverTLS(protocols ...string) []mode {
	listen := func() (net.Listener, error) {
		l, err := listenNet()
		if err != nil {
			return nil, err
		}
		config, _ := credentials()
		config = config.Clone()
		config.NextProtos = protocols
		return tls.NewListener(l, config), nil
	}
	return []mode{
		{"recycling-tls", recycling.Recycling, listen, false},
		{"pool-tls", recycling.Fixed, listen, false},
		{"goroutine-tls", recycling.Goroutine, listen, false},
	}
}

// dialTLS connects for the duration of the test, and performs the handshake.
func (s *instance) dialTLS(t testing.TB, protocols ...string) *client {
	t.Helper()
	c := s.dial(t)
	_, config := credentials()
	config = config.Clone()
	config.NextProtos = protocols
	conn := tls.Client(c.Conn, config)
	if err := conn.Handshake(); err != nil {
		t.Fatal("handshake: ", err)
	}
	return &client{Conn: conn, t: t, r: bufio.NewReader(conn)}
}

func TestRequestsOverTLSAreServed(t *testing.T) {
	parallel(t)
	forEach(t, modesOverTLS("http/1.1"), func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.TLS != nil && r.TLS.HandshakeComplete, " ", r.TLS.NegotiatedProtocol, " ", r.TLS.ServerName, " ", r.RemoteAddr)
			if n := len(r.URL.Query().Get("more")); n > 0 {
				w.Write(make([]byte, 1<<20))
			}
		})
		for _, protocol := range []string{"http/1.1", ""} {
			c := s.dialTLS(t, slices.DeleteFunc([]string{protocol}, func(p string) bool { return p == "" })...)
			for range 3 {
				if got, want := c.get("/"), fmt.Sprint("true ", protocol, " example.com ", c.LocalAddr()); got != want {
					t.Errorf("answer %q, want %q", got, want)
				}
			}
			if got := c.get("/?more=x"); len(got) < 1<<20 {
				t.Errorf("answer of %d bytes", len(got))
			}
			// RFC 9112, 9.8: an alert precedes the end of a connection; without it, the end may be
			// an attack.
			c.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
			c.response()
			if _, err := c.r.ReadByte(); err != io.EOF {
				t.Errorf("the connection ended with %v, want EOF", err)
			}
		}
	})
}

func TestConnectionsOverTLSAreHijackedAsSuch(t *testing.T) {
	parallel(t)
	forEach(t, modesOverTLS(), func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			line, _ := rw.ReadString('\n')
			fmt.Fprintf(c, "%T %s", c, line)
		})
		c := s.dialTLS(t)
		c.send(get + "hello\n")
		if got, err := io.ReadAll(c.r); string(got) != "*tls.Conn hello\n" {
			t.Errorf("received %q, %v", got, err)
		}
	})
}

// brokenHandshakes are bytes that a client sends, with the response and the reason that is logged.
var brokenHandshakes = map[string]struct{ sent, answer, reason string }{
	"HTTP":    {get, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", "client sent an HTTP request to an HTTPS server"},
	"POST":    {"POST / HTTP/1.1\r\n\r\n", "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", "client sent an HTTP request to an HTTPS server"},
	"garbage": {"garbage and more of it\r\n", "", "tls: first record does not look like a TLS handshake"},
	"nothing": {"", "", "EOF"},
}

func TestBrokenHandshakesAreAnsweredAndLogged(t *testing.T) {
	parallel(t)
	for name, broken := range brokenHandshakes {
		t.Run(name, func(t *testing.T) {
			forEach(t, modesOverTLS(), func(t *testing.T, m mode) {
				h, log := logging()
				states := make(chan http.ConnState, 9)
				h.ConnState = func(_ net.Conn, to http.ConnState) { states <- to }
				s := m.start(t, &recycling.Server{HTTP: h}, hello)
				c := s.dial(t)
				c.send("%s", broken.sent)
				c.Conn.(*net.TCPConn).CloseWrite()
				got, _ := io.ReadAll(c.r) // a reset may end it: not everything was read
				if broken.answer != "" && string(got) != broken.answer {
					t.Errorf("answer %q, want %q", got, broken.answer)
				}
				for _, want := range []http.ConnState{http.StateNew, http.StateClosed} {
					if to := receive(t, states, "state"); to != want {
						t.Errorf("state is %v, want %v", to, want)
					}
				}
				if want := fmt.Sprintf("http: TLS handshake error from %v: %s\n", c.LocalAddr(), broken.reason); log.String() != want {
					t.Errorf("error log has %q, want %q", log, want)
				}
			})
		})
	}
}

func TestSlowHandshakesAreEnded(t *testing.T) {
	parallel(t)
	const short = 50 * time.Millisecond
	for name, h := range map[string]func() *http.Server{
		"ReadHeaderTimeout": func() *http.Server { return &http.Server{ReadHeaderTimeout: short} },
		"ReadTimeout":       func() *http.Server { return &http.Server{ReadTimeout: short, ReadHeaderTimeout: time.Hour} },
		"WriteTimeout":      func() *http.Server { return &http.Server{WriteTimeout: short, ReadTimeout: time.Hour} },
	} {
		t.Run(name, func(t *testing.T) {
			forEach(t, modesOverTLS(), func(t *testing.T, m mode) {
				quiet, log := logging()
				srv := h()
				srv.ErrorLog = quiet.ErrorLog
				s := m.start(t, &recycling.Server{HTTP: srv}, hello)
				c := s.dial(t)
				c.send("\x16\x03\x01") // part of a record header
				c.ended()
				holds(func() bool { return log.String() != "" }) // it may be logged after the end
				if re := regexp.MustCompile(`^http: TLS handshake error from [^ ]+: read tcp [^ ]+: i/o timeout\n$`); !re.MatchString(log.String()) {
					t.Errorf("error log has %q", log)
				}
			})
		})
	}
}

// TestHandshakesThatEndWhileBytesArriveAreLogged has clients that send their first record byte by
// byte, so that most deadlines pass while a worker reads.
func TestHandshakesThatEndWhileBytesArriveAreLogged(t *testing.T) {
	parallel(t)
	forEach(t, modesOverTLS(), func(t *testing.T, m mode) {
		const clients = 10
		srv, log := logging()
		srv.ReadHeaderTimeout = 10 * time.Millisecond
		s := m.start(t, &recycling.Server{HTTP: srv}, hello)
		var all sync.WaitGroup
		for range clients {
			c := s.dial(t)
			all.Go(func() {
				_, err := io.WriteString(c, "\x16\x03\x01\x3f\xff")
				for n := 0; n < 0x3fff && err == nil; n++ {
					_, err = c.Write([]byte{0})
				}
				io.Copy(io.Discard, c.r)
			})
		}
		all.Wait()
		count := func() int { return strings.Count(log.String(), "http: TLS handshake error from ") }
		if !holds(func() bool { return count() == clients }) {
			t.Errorf("%d handshakes were logged, want %d", count(), clients)
		}
	})
}

func TestHandshakesDoNotWaitForEachOther(t *testing.T) {
	parallel(t)
	forEach(t, modesOverTLS(), func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{HTTP: quiet()}, hello)
		for range 50 {
			s.dial(t).send("\x16\x03\x01")
		}
		if body := s.dialTLS(t).get("/"); body != "hello" {
			t.Errorf("answer %q", body)
		}
	})
}

func TestOtherProtocolsAreLeftToTLSNextProto(t *testing.T) {
	parallel(t)
	forEach(t, modesOverTLS("other", "unknown", "http/1.1"), func(t *testing.T, m mode) {
		h := quiet()
		h.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
			"other": func(srv *http.Server, c *tls.Conn, handler http.Handler) {
				line, _ := bufio.NewReader(c).ReadString('\n')
				w := httptest.NewRecorder()
				r := httptest.NewRequest("GET", "/"+line[:len(line)-1], nil)
				r.RemoteAddr, r.TLS, r.Body = "", nil, nil
				handler.ServeHTTP(w, r)
				fmt.Fprint(c, srv == h, " ", w.Body)
			},
		}
		s := m.start(t, &recycling.Server{HTTP: h}, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.URL.Path, " ", r.RemoteAddr, " ", r.TLS != nil, " ", r.Body == http.NoBody)
		})
		c := s.dialTLS(t, "other")
		c.send("line\n")
		if got, err := io.ReadAll(c.r); string(got) != fmt.Sprintf("true /line %v true true", c.LocalAddr()) {
			t.Errorf("received %q, %v", got, err)
		}
		unknown := s.dialTLS(t, "unknown")
		unknown.ended()
	})
}

func TestHTTP2OverTLSIsServed(t *testing.T) {
	parallel(t)
	forEach(t, modesOverTLS("h2", "http/1.1"), func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{}, func(w http.ResponseWriter, r *http.Request) {
			_, pusher := w.(http.Pusher)
			fmt.Fprint(w, r.Proto, pusher, r.TLS.NegotiatedProtocol, r.Context().Value(http.ServerContextKey) != nil, recycling.FromContext(r.Context()) != nil)
		})
		_, config := credentials()
		transport := &http.Transport{TLSClientConfig: config.Clone(), ForceAttemptHTTP2: true}
		httpClient := &http.Client{Transport: transport, Timeout: patience}
		defer httpClient.CloseIdleConnections()
		for range 3 {
			if got := getURL(t, httpClient, "https://"+s.addr.String()); got != "HTTP/2.0trueh2true true" {
				t.Errorf("answer %q", got)
			}
		}
		if body := s.dialTLS(t, "http/1.1").get("/"); body != "HTTP/1.1falsehttp/1.1true true" {
			t.Errorf("answer %q", body)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		s.ended(t, http.ErrServerClosed)
	})
}

func getURL(t testing.TB, c *http.Client, url string) string {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}

func protocols(set ...func(*http.Protocols, bool)) *http.Protocols {
	p := new(http.Protocols)
	for _, f := range set {
		f(p, true)
	}
	return p
}

func TestHTTP2WithoutTLSIsServed(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		h := &http.Server{Protocols: protocols((*http.Protocols).SetHTTP1, (*http.Protocols).SetUnencryptedHTTP2)}
		s := m.start(t, &recycling.Server{HTTP: h}, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Proto, " ", r.RemoteAddr != "", " ", r.TLS == nil)
		})
		transport := &http.Transport{Protocols: protocols((*http.Protocols).SetUnencryptedHTTP2)}
		httpClient := &http.Client{Transport: transport, Timeout: patience}
		defer httpClient.CloseIdleConnections()
		for range 3 {
			if got := getURL(t, httpClient, "http://"+s.addr.String()); got != "HTTP/2.0 true true" {
				t.Errorf("answer %q", got)
			}
		}
		if body := s.once(t, "/"); body != "HTTP/1.1 true true" {
			t.Errorf("answer %q", body)
		}
		c := s.dial(t)
		c.send("PRI * HTTP/2.0\r\n\r\nnot the preface\r\n\r\n")
		if got, err := io.ReadAll(c.r); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the connection goes on after %q", got)
		}
	})
}

func TestHTTP1MayBeOff(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		h := &http.Server{Protocols: protocols((*http.Protocols).SetUnencryptedHTTP2)}
		s := m.start(t, &recycling.Server{HTTP: h}, func(w http.ResponseWriter, r *http.Request) { t.Error("the handler was called") })
		c := s.dial(t)
		c.send(get)
		c.ended()
	})
}
