package recycling_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

// These tests are about a Server.Listener that is served without the knowledge of its Server.

// A wrapping is a listener that the Server does not recognise as its own.
type wrapping struct{ net.Listener }

// startUnknown has srv serve a Server.Listener, through wrap.
func (m mode) startUnknown(t *testing.T, srv *http.Server, wrap func(net.Listener) net.Listener) *instance {
	t.Helper()
	inner, err := m.listen()
	if err != nil {
		t.Fatal(err)
	}
	s := &recycling.Server{HTTP: srv, Strategy: m.strategy}
	l, err := s.Listener(inner)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(wrap(l)); close(served) }()
	t.Cleanup(func() {
		srv.Close()
		receive(t, served, "Serve")
		end(t, s)
	})
	return &instance{Server: s, listener: inner, addr: inner.Addr(), served: served}
}

func TestHTTP2OfAnUnknownListenerIsSeenTwice(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		var hooks states
		srv := quiet()
		http2Settings(srv, false)
		srv.ConnState = hooks.hook
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Proto, " ", recycling.FromContext(r.Context()) != nil)
		})
		s := m.startUnknown(t, srv, func(l net.Listener) net.Listener { return wrapping{l} })
		client, scheme := http2Over(false, func() (net.Conn, error) { return net.Dial("tcp", s.addr.String()) })
		defer client.CloseIdleConnections()
		if got := fetch(t, client, scheme+s.addr.String()); got != "HTTP/2.0 false" {
			t.Errorf("answer %q", got)
		}
		want := []string{"0 new", "0 hijacked", "1 new"}
		eventually(t, "three states", func() bool { return len(hooks.all()) >= 3 })
		if got := hooks.all(); !slices.Equal(got[:3], want) {
			t.Errorf("ConnState saw %v, want %v", got, want)
		}
		if n := s.Stats().Hijacked; n != 1 {
			t.Errorf("%d connections are hijacked", n)
		}
		if got := s.once(t, "/"); got != "HTTP/1.1 true" {
			t.Errorf("answer %q", got)
		}
	})
}

func TestTLSAroundAnUnknownListenerHasNoEffect(t *testing.T) {
	parallel(t)
	forEach(t, workerModes, func(t *testing.T, m mode) {
		srv := quiet()
		srv.Handler = http.HandlerFunc(hello)
		s := m.startUnknown(t, srv, func(l net.Listener) net.Listener { return tls.NewListener(wrapping{l}, serverKeys()) })
		var none tls.RecordHeaderError
		if err := s.dial(t).unshaken().tls.Handshake(); !errors.As(err, &none) {
			t.Errorf("the handshake ends with %v, want a response that is no TLS", err)
		}
		if got := s.once(t, "/"); got != "hello" {
			t.Errorf("without TLS the answer is %q", got)
		}
	})
}
