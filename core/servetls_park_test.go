package recycling_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
)

func TestServeTLSKeepsLittleOfIdleConnections(t *testing.T) {
	if !recycling.Parks {
		t.Skip("connections do not park")
	}
	if os.Getenv("RECYCLING_TEST_ALONE") == "" {
		// In a process of its own, where no other test has left memory that is used again.
		cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "RECYCLING_TEST_ALONE=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	const conns, withHook = 100, "ServeTLS with a hook that gets the connection"
	measure := func(t *testing.T, s *instance) int {
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
	var nets int
	t.Run("net/http", func(t *testing.T) { nets = measure(t, goroutineOwn.startTLS(t, &recycling.Server{}, hello)) })
	for name, start := range map[string]func(t *testing.T) *instance{
		"ServeTLS": func(t *testing.T) *instance { return recyclingNet.startTLS(t, &recycling.Server{}, hello) },
		withHook: func(t *testing.T) *instance {
			h := &http.Server{ConnState: func(net.Conn, http.ConnState) {}}
			return recyclingNet.startTLS(t, &recycling.Server{HTTP: h}, hello)
		},
		"Use with ServeTLS": func(t *testing.T) *instance {
			return startUse(t, func(srv *http.Server, l net.Listener) error { return srv.ServeTLS(l, "", "") })
		},
		"Use with a listener of package tls": func(t *testing.T) *instance {
			return startUse(t, func(srv *http.Server, l net.Listener) error { return srv.Serve(tls.NewListener(l, srv.TLSConfig)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			most := nets / 3
			if name == withHook {
				most = nets / 2
			}
			if ours := measure(t, s); ours > most {
				t.Errorf("%d bytes for each connection, want no more than %d, while net/http takes %d", ours, most, nets)
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
