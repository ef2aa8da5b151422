package recycling_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// startUnderTLS serves h by an http.Server of which only the listener uses this package.
func (m mode) startUnderTLS(t *testing.T, h http.HandlerFunc) (s *instance, srv *http.Server) {
	t.Helper()
	l, err := m.listen()
	if err != nil {
		t.Fatal(err)
	}
	srv = &http.Server{Handler: h, TLSConfig: serverKeys(speaking("h2", "http/1.1")), ErrorLog: quiet().ErrorLog}
	server := &recycling.Server{HTTP: srv, Strategy: m.strategy}
	l, err = secureListener(server)(l)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l); close(served) }()
	t.Cleanup(func() {
		srv.Close()
		server.Close()
		leavesNothing(t)
	})
	return &instance{Server: server, listener: l, addr: l.Addr(), served: served}, srv
}

func http2Client(t *testing.T) *http.Client {
	transport := &http.Transport{TLSClientConfig: keyrings().client.Clone(), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func TestListenerOverTLSServesBothProtocols(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		g := newGate(t)
		s, srv := m.startUnderTLS(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				g.serve(w, r)
				return
			}
			fmt.Fprint(w, r.Proto, " ", recycling.FromContext(r.Context()) != nil, " ", r.TLS.NegotiatedProtocol)
		})
		h2 := http2Client(t)
		url := "https://" + s.addr.String()
		for range 2 {
			if got := fetch(t, h2, url); got != "HTTP/2.0 true h2" {
				t.Errorf("answer %q", got)
			}
		}
		one := s.dial(t).shake()
		for range 2 {
			if got := one.get("/"); got != "HTTP/1.1 true " {
				t.Errorf("answer %q", got)
			}
		}

		// Shutdown waits for both.
		one.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
		receive(t, g.entered, "the handler")
		answer := make(chan string, 1)
		go func() { answer <- fetch(t, h2, url+"/wait") }()
		receive(t, g.entered, "the handler")
		done := make(chan error, 1)
		go func() { done <- srv.Shutdown(context.Background()) }()
		for { // until the port is closed
			c, err := net.Dial("tcp", s.addr.String())
			if err != nil {
				break
			}
			c.Close()
		}
		select {
		case err := <-done:
			t.Errorf("Shutdown returned %v with requests in flight", err)
		default:
		}
		g.open()
		if res, body := one.response(); body != "answer" || !res.Close {
			t.Errorf("answer %q", body)
		}
		if got := receive(t, answer, "the answer"); got != "answer" {
			t.Errorf("answer %q", got)
		}
		if err := receive(t, done, "Shutdown"); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := receive(t, s.served, "Serve"); err != http.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
}

func TestListenerOverTLSIsClosedWithBothProtocols(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		entered, over := make(chan bool, 9), make(chan bool, 9)
		s, srv := m.startUnderTLS(t, func(w http.ResponseWriter, r *http.Request) {
			entered <- true
			<-r.Context().Done()
			over <- true
		})
		one := s.dial(t).shake()
		one.send(get)
		receive(t, entered, "the handler")
		failed := make(chan error, 1)
		h2 := http2Client(t)
		go func() {
			_, err := h2.Get("https://" + s.addr.String())
			failed <- err
		}()
		receive(t, entered, "the handler")
		if err := srv.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := receive(t, s.served, "Serve"); err != http.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
		for range 2 {
			receive(t, over, "the end of the handler")
		}
		if err := receive(t, failed, "the client's error"); err == nil {
			t.Error("there is an answer")
		}
		one.ended()
	})
}

// fetch returns the body of the response to a GET request.
func fetch(t testing.TB, c *http.Client, url string) string {
	res, err := c.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}
