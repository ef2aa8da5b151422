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
	"os"
	"testing"
	"time"

	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// A used is an http.Server that was started in the usual way.
type used struct {
	*http.Server
	addr           net.Addr
	entered, leave chan struct{} // of the handler of /wait
	served         chan error
	recycled       *recycling.Server // returned by Use
}

func startUsed(t *testing.T, strategy recycling.Strategy, serve func(*http.Server, net.Listener) error) *used {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &used{Server: new(http.Server), addr: l.Addr(), entered: make(chan struct{}), leave: make(chan struct{}), served: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto, " ", recycling.FromContext(r.Context()).Stats().Strategy)
	})
	mux.HandleFunc("/wait", func(w http.ResponseWriter, req *http.Request) {
		close(r.entered)
		select {
		case <-r.leave:
			io.WriteString(w, "late")
		case <-req.Context().Done():
		}
	})
	r.Handler = mux
	r.recycled = recycling.Use(r.Server, func(s *recycling.Server) { s.Strategy = strategy })
	go func() { r.served <- serve(r.Server, l) }()
	return r
}

func eachStrategyUsed(t *testing.T, f func(*testing.T, recycling.Strategy)) {
	strategies := []recycling.Strategy{recycling.Goroutine, recycling.Recycling, recycling.Fixed}
	if name := os.Getenv(recycling.EnvStrategy); name != "" {
		strategies = []recycling.Strategy{recycling.Strategy(name)}
	}
	for _, strategy := range strategies {
		t.Run(string(strategy), func(t *testing.T) { f(t, strategy) })
	}
}

// ends waits for Serve to return.
func (r *used) ends(t *testing.T) {
	t.Helper()
	if err := <-r.served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve returned %v, want %v", err, http.ErrServerClosed)
	}
}

// wait sends a request for /wait, and returns once the handler is called.
func (r *used) wait(t *testing.T) net.Conn {
	nc, err := net.Dial("tcp", r.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(nc, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
	<-r.entered
	return nc
}

func getUsed(t *testing.T, tr *http.Transport, url, want string) {
	t.Helper()
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 30 * time.Second}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != want || err != nil {
		t.Errorf("the answer is %q (%v), want %q", body, err, want)
	}
}

func TestUseShutdownAnswers(t *testing.T) {
	parallel(t)
	eachStrategyUsed(t, func(t *testing.T, strategy recycling.Strategy) {
		r := startUsed(t, strategy, (*http.Server).Serve)
		getUsed(t, new(http.Transport), "http://"+r.addr.String(), "HTTP/1.1 "+string(strategy))
		if st := r.recycled.Stats(); strategy != recycling.Goroutine && (st.Strategy != strategy || st.Accepted != 1) {
			t.Errorf("the Server that Use returned has %+v", st)
		}
		nc := r.wait(t)
		defer nc.Close()
		shut := make(chan error, 1)
		go func() { shut <- r.Shutdown(context.Background()) }()
		for {
			nc, err := net.Dial("tcp", r.addr.String())
			if err != nil {
				break
			}
			nc.Close()
			time.Sleep(time.Millisecond)
		}
		close(r.leave)
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); string(body) != "late" || err != nil {
			t.Errorf("the request in flight got %q (%v), want late", body, err)
		}
		if err := <-shut; err != nil {
			t.Errorf("Shutdown returned %v, want nil", err)
		}
		r.ends(t)
	})
}

func TestUseCloseAbandons(t *testing.T) {
	parallel(t)
	eachStrategyUsed(t, func(t *testing.T, strategy recycling.Strategy) {
		r := startUsed(t, strategy, (*http.Server).Serve)
		nc := r.wait(t)
		defer nc.Close()
		if err := r.Close(); err != nil {
			t.Errorf("Close returned %v, want nil", err)
		}
		if b, err := io.ReadAll(nc); len(b) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the request in flight got %q, %v, want to be cut off", b, err)
		}
		r.ends(t)
	})
}

// TestUseWithTwoListeners closes one of them, and then shuts down.
func TestUseWithTwoListeners(t *testing.T) {
	parallel(t)
	eachStrategyUsed(t, func(t *testing.T, strategy recycling.Strategy) {
		for name, listen := range map[string]func() (net.Listener, error){"net": listenNet, "wrapped": listenWrapped} {
			t.Run(name, func(t *testing.T) {
				r := startUsed(t, strategy, (*http.Server).Serve)
				l, err := listen()
				if err != nil {
					t.Fatal(err)
				}
				served := make(chan error, 1)
				go func() { served <- r.Serve(l) }()
				own, other := "http://"+r.addr.String(), "http://"+l.Addr().String()
				want := "HTTP/1.1 " + string(strategy)
				getUsed(t, new(http.Transport), own, want)
				getUsed(t, new(http.Transport), other, want)
				nc, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				c := wrapClient(t, nc)
				c.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
				receive(t, r.entered, "the handler")

				l.Close()
				if err := receive(t, served, "Serve"); !errors.Is(err, net.ErrClosed) {
					t.Errorf("Serve of the closed listener returned %v, want %v", err, net.ErrClosed)
				}
				time.Sleep(100 * time.Millisecond)
				getUsed(t, new(http.Transport), own, want)

				shut := make(chan error, 1)
				go func() { shut <- r.Shutdown(context.Background()) }()
				select {
				case err := <-shut:
					t.Errorf("Shutdown returned %v while the request in flight was not answered", err)
				case <-time.After(100 * time.Millisecond):
				}
				close(r.leave)
				if _, body := c.response(); body != "late" {
					t.Errorf("the request in flight got %q, want late", body)
				}
				if err := receive(t, shut, "Shutdown"); err != nil {
					t.Errorf("Shutdown returned %v, want nil", err)
				}
				r.ends(t)
			})
		}
	})
}

func TestUseWithTLS(t *testing.T) {
	parallel(t)
	cert := selfsigned.NewTest(t, "example.org")
	eachStrategyUsed(t, func(t *testing.T, strategy recycling.Strategy) {
		r := startUsed(t, strategy, func(srv *http.Server, l net.Listener) error {
			srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
			return srv.ServeTLS(l, "", "")
		})
		for _, h2 := range []bool{false, true} {
			proto := "HTTP/1.1 "
			if h2 {
				proto = "HTTP/2.0 "
			}
			tr := &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: selfsigned.Pool(cert), ServerName: "example.org"}}
			getUsed(t, tr, "https://"+r.addr.String(), proto+string(strategy))
		}
		if err := r.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown returned %v, want nil", err)
		}
		r.ends(t)
	})
}

// TestUse compares an http.Server that is called in the usual way with net/http.
func TestUse(t *testing.T) {
	parallel(t)
	recyclingtest.Run(t, recyclingtest.Target{
		Name:   "unchanged http.Server",
		Strict: true,
		Start: func(t testing.TB, srv *http.Server) *recyclingtest.Instance {
			recycling.Use(srv, func(s *recycling.Server) { s.Strategy = recycling.Recycling })
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- srv.Serve(l) }()
			return &recyclingtest.Instance{Addr: l.Addr(), Shutdown: srv.Shutdown, Close: srv.Close, Served: served}
		},
	})
}
