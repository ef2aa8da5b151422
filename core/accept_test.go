package recycling_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/listener"
)

// These types embed a listener, or have its methods, and have an Accept of their own.

type (
	tcpGuard  struct{ *net.TCPListener }
	unixGuard struct{ *net.UnixListener }
	ownGuard  struct{ *listener.Listener }
	fileGuard struct{ net.Listener }
)

func (g fileGuard) File() (*os.File, error) { return g.Listener.(*net.TCPListener).File() }

// Each type defines Accept, so that the embedded one is not promoted.
func (g tcpGuard) Accept() (net.Conn, error)  { return acceptFew(g.TCPListener) }
func (g unixGuard) Accept() (net.Conn, error) { return acceptFew(g.UnixListener) }
func (g ownGuard) Accept() (net.Conn, error)  { return acceptFew(g.Listener) }
func (g fileGuard) Accept() (net.Conn, error) { return acceptFew(g.Listener) }

// acceptFew drops the first of two connections.
func acceptFew(l net.Listener) (net.Conn, error) {
	c, err := l.Accept()
	if err != nil {
		return nil, err
	}
	c.Close()
	return l.Accept()
}

// guards returns listeners of these types.
func guards(t *testing.T) map[string]net.Listener {
	t.Helper()
	must := func(l net.Listener, err error) net.Listener {
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	own, err := listener.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]net.Listener{
		"net.TCPListener":   tcpGuard{must(listenNet()).(*net.TCPListener)},
		"net.UnixListener":  unixGuard{must(listenUnix(t)).(*net.UnixListener)},
		"listener.Listener": ownGuard{own},
		"with a File":       fileGuard{must(listenNet())},
	}
}

// TestAcceptOfAnEmbeddingTypeIsCalled uses an Accept that admits every second connection.
func TestAcceptOfAnEmbeddingTypeIsCalled(t *testing.T) {
	parallel(t)
	ways := map[string]func(srv *http.Server, strategy recycling.Strategy) (serve func(net.Listener) error, end func() error){
		"Serve": func(srv *http.Server, strategy recycling.Strategy) (func(net.Listener) error, func() error) {
			s := &recycling.Server{HTTP: srv, Strategy: strategy}
			return s.Serve, s.Close
		},
	}
	for _, h := range hostings {
		if !h.secure {
			ways[h.name] = func(srv *http.Server, strategy recycling.Strategy) (func(net.Listener) error, func() error) {
				return h.use(srv, strategy), srv.Close
			}
		}
	}
	for way, use := range ways {
		for _, strategy := range []recycling.Strategy{recycling.Recycling, recycling.Fixed, recycling.Goroutine} {
			for name, l := range guards(t) {
				t.Run(fmt.Sprint(way, "/", strategy, "/", name), func(t *testing.T) {
					t.Parallel()
					srv := &http.Server{Handler: http.HandlerFunc(hello)}
					serve, end := use(srv, strategy)
					served := make(chan error, 1)
					go func() { served <- serve(l) }()
					for range 3 {
						dialTo(t, l.Addr()).ended()
						dialTo(t, l.Addr()).get("/")
					}
					closed := make(chan error, 1)
					go func() { closed <- end() }()
					if err := receive(t, closed, "Close"); err != nil {
						t.Errorf("Close returned %v", err)
					}
					if err := receive(t, served, "Serve"); err != http.ErrServerClosed {
						t.Errorf("Serve returned %v", err)
					}
					refused(t, l.Addr())
				})
			}
		}
	}
}
