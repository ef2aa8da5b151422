package recycling_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// The descriptor becomes a net.Conn during the handshake, and must keep its deadlines.
func TestHandshakeEndsInTimeWithGetCertificate(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, recyclingNet, goroutineOwn}, func(t *testing.T, m mode) {
		keys := serverKeys()
		certs := keys.Certificates
		keys.Certificates = nil
		keys.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certs[0], nil }
		h := quiet()
		h.TLSConfig, h.ReadHeaderTimeout = keys, 100*time.Millisecond
		c := m.startTLS(t, &recycling.Server{HTTP: h}, hello).dial(t)
		c.unfinished()
		if _, err := io.Copy(io.Discard, c.r); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the handshake goes on")
		}
	})
}

// The tls.Conn that hooks get has a net.Conn of its own, with the same limits.
func TestBodyTimeoutHoldsForTLSConnectionsOfHooks(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingOwn, recyclingNet}, func(t *testing.T, m mode) {
		ended := make(chan error, 1)
		h := quiet()
		h.ConnState = func(net.Conn, http.ConnState) {}
		s := m.startTLS(t, &recycling.Server{HTTP: h, Limits: recycling.Limits{BodyTimeout: 50 * time.Millisecond}}, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			ended <- err
		})
		c := s.dialTLS(t)
		c.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhello")
		if err := receive(t, ended, "the body to end"); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the body ended with %v", err)
		}
	})
}

// After Hijack the rest of the body can be read, even after the handler has returned, and by two
// goroutines at once.
func TestBodyOfAHijackedConnectionOutlivesItsHandler(t *testing.T) {
	parallel(t)
	forEach(t, everyMode, func(t *testing.T, m mode) {
		type half struct {
			text string
			err  error
		}
		halves, returned := make(chan half, 2), make(chan struct{})
		s := m.start(t, &recycling.Server{HTTP: quiet()}, func(w http.ResponseWriter, r *http.Request) {
			defer close(returned)
			r.Context().Done() // makes the server watch the connection
			nc, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { nc.Close() })
			for range 2 {
				go func() {
					b := make([]byte, 5)
					n, err := io.ReadFull(r.Body, b)
					halves <- half{string(b[:n]), err}
				}()
			}
		})
		c := s.dial(t)
		c.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n")
		receive(t, returned, "the handler to return")
		c.send("aaaaaaaaaa")
		for range 2 {
			if h := receive(t, halves, "a half of the body"); h.text != "aaaaa" || h.err != nil {
				t.Errorf("read %q, %v", h.text, h.err)
			}
		}
	})
}

// Refused connections linger, and must not keep out new ones when there is room again.
func TestRefusedConnectionsDoNotCountForTheirAddress(t *testing.T) {
	parallel(t)
	forEach(t, []mode{recyclingNet, poolOwn}, func(t *testing.T, m mode) {
		s := m.start(t, &recycling.Server{Limits: recycling.Limits{MaxConnsPerIP: 1}}, hello)
		first := s.dial(t)
		first.get("/")
		for range 3 { // they linger
			c := s.dial(t)
			c.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n")
			c.refused()
		}
		first.Close()
		for deadline := time.Now().Add(400 * time.Millisecond); ; {
			c := s.dial(t)
			c.send(get)
			res, _ := c.response()
			if res.StatusCode == http.StatusOK {
				return
			}
			if time.Now().After(deadline.Add(patience)) {
				t.Fatal("nobody is let in")
			}
		}
	})
}

// A worker of a scheduler that has ended makes room for one of the next scheduler.
func TestRequestDoesNotWaitForAWorkerOfAListenerThatWasClosed(t *testing.T) {
	parallel(t)
	var closed atomic.Int64
	inside, leave := make(chan struct{}), make(chan struct{})
	h := quiet()
	h.ConnState = func(_ net.Conn, to http.ConnState) {
		if to == http.StateClosed && closed.Add(1) == 1 {
			close(inside)
			<-leave
		}
	}
	s := recyclingNet.start(t, &recycling.Server{HTTP: h, Limits: recycling.Limits{MaxWorkers: 1}}, hello)
	c := s.dial(t)
	c.get("/")
	s.listener.Close()
	receive(t, s.served, "Serve to return")
	c.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
	receive(t, inside, "the hook")
	l, err := listenNet()
	if err != nil {
		t.Fatal(err)
	}
	again := serve(s.Server, l)
	next := again.dial(t)
	next.send(get)
	s.await(t, "the request to be queued", func(st recycling.Stats) bool { return st.Queued == 1 })
	close(leave)
	if _, body := next.response(); body != "hello" {
		t.Errorf("answer %q", body)
	}
}

// A hook for idle connections that is slow, or shuts the server down, does not block Shutdown, as
// under net/http.
func TestShutdownOfAHostDoesNotWaitForHooksOfIdleConnections(t *testing.T) {
	parallel(t)
	inside, leave := make(chan struct{}, 10), make(chan struct{})
	h := quiet()
	h.Handler = http.HandlerFunc(hello)
	h.ConnState = func(_ net.Conn, to http.ConnState) {
		if to == http.StateIdle {
			inside <- struct{}{}
			<-leave
		}
	}
	recycling.Use(h)
	l, err := listenNet()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	c := dialTo(t, l.Addr())
	c.get("/")
	receive(t, inside, "the hook")
	done := make(chan error, 1)
	go func() { done <- h.Shutdown(t.Context()) }()
	if err := receive(t, done, "Shutdown to return"); err != nil {
		t.Error(err)
	}
	close(leave)
	if err := receive(t, served, "Serve to return"); !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
}
