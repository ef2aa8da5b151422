package recycling_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
)

// TestListenersOfPackageTLSPark tests that package tls is as unwrapTLS expects.
func TestListenersOfPackageTLSPark(t *testing.T) {
	if !recycling.Parks {
		t.Skip("connections do not park")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &recycling.Server{HTTP: &http.Server{Handler: http.HandlerFunc(hello)}}
	defer s.Close()
	go s.Serve(tls.NewListener(l, serverKeys()))
	c, err := tls.Dial("tcp", l.Addr().String(), keyrings().client.Clone())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, get)
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	(&instance{Server: s}).await(t, "a parked connection", func(st recycling.Stats) bool { return st.Parked == 1 })
}

// TestTicketKeysOfAListenerOfPackageTLSMayChange changes the session ticket keys of the config that
// the listener was made with.
func TestTicketKeysOfAListenerOfPackageTLSMayChange(t *testing.T) {
	for _, get := range []bool{false, true} {
		t.Run(fmt.Sprint("GetCertificate=", get), func(t *testing.T) {
			forEach(t, everyMode, func(t *testing.T, m mode) {
				config := serverKeys(speaking("http/1.1"))
				if get {
					cert := config.Certificates[0]
					config.Certificates = nil
					config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }
				}
				l, err := m.listen()
				if err != nil {
					t.Fatal(err)
				}
				srv := quiet()
				srv.Handler = http.HandlerFunc(hello)
				recycling.Use(srv, func(o *recycling.Server) { o.Strategy = m.strategy })
				served := make(chan error, 1)
				go func() { served <- srv.Serve(tls.NewListener(l, config)) }()
				client := keyrings().client.Clone()
				client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
				resumed := func() bool {
					c, err := tls.Dial("tcp", l.Addr().String(), client)
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					c.SetDeadline(time.Now().Add(patience))
					io.WriteString(c, "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
					io.ReadAll(c)
					return c.ConnectionState().DidResume
				}
				resumed()
				if !resumed() {
					t.Error("a session was not resumed, with the server's own keys")
				}
				config.SetSessionTicketKeys([][32]byte{{1}})
				resumed()
				if !resumed() {
					t.Error("a session was not resumed, with keys of the application")
				}
				config.SetSessionTicketKeys([][32]byte{{2}})
				if resumed() {
					t.Error("a session was resumed, and its key is no more")
				}
				srv.Close()
				receive(t, served, "the end of Serve")
			})
		})
	}
}
