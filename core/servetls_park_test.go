package recycling_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

func TestServeTLSKeepsLittleOfIdleConnections(t *testing.T) {
	if !recycling.Parks {
		t.Skip("connections do not park")
	}
	const conns = 100
	once := func(t *testing.T, s *instance) int {
		var all []net.Conn
		defer func() {
			for _, c := range all {
				c.Close()
			}
		}()
		ask := func() { // leaves the plain connection open; its tls.Conn becomes garbage
			plain, err := net.Dial("tcp", s.addr.String())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, plain)
			c := tls.Client(plain, keyrings().client)
			io.WriteString(c, get)
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
		ask()
		before := inUse()
		for range conns {
			ask()
		}
		return (inUse() - before) / conns
	}
	// What earlier tests have left may be freed during the first measurement.
	measure := func(t *testing.T, s *instance) (least, most int) {
		a, b := once(t, s), once(t, s)
		return min(a, b), max(a, b)
	}
	var nets int
	t.Run("net/http", func(t *testing.T) { _, nets = measure(t, goroutineOwn.startTLS(t, &recycling.Server{}, hello)) })
	for name, start := range map[string]func(t *testing.T) *instance{
		"ServeTLS": func(t *testing.T) *instance { return recyclingNet.startTLS(t, &recycling.Server{}, hello) },
		"Use with ServeTLS": func(t *testing.T) *instance {
			return startUse(t, func(srv *http.Server, l net.Listener) error { return srv.ServeTLS(l, "", "") })
		},
		"Use with a listener of package tls": func(t *testing.T) *instance {
			return startUse(t, func(srv *http.Server, l net.Listener) error { return srv.Serve(tls.NewListener(l, srv.TLSConfig)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			if ours, _ := measure(t, s); ours > nets/3 {
				t.Errorf("%d bytes for each connection, want no more than a third of net/http's %d", ours, nets)
			}
			s.await(t, "the end of the connections", func(st recycling.Stats) bool { return st.Open == 0 })
		})
	}
}

// startUse starts an http.Server with TLS that is served by Use.
func startUse(t *testing.T, serve func(srv *http.Server, l net.Listener) error) *instance {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{TLSConfig: serverKeys(), Handler: http.HandlerFunc(hello), ErrorLog: quiet().ErrorLog}
	s := &instance{listener: l, addr: l.Addr()}
	recycling.Use(srv, func(server *recycling.Server) { s.Server = server })
	served := make(chan error, 1)
	go func() { served <- serve(srv, l) }()
	t.Cleanup(func() {
		srv.Close()
		receive(t, served, "the end of Serve")
	})
	return s
}
