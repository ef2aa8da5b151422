package recyclingecho_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// stream adds a handler that sends an event for each true from events. The returned channel
// receives a value when the handler ends.
func stream(e *echo.Echo, events <-chan bool) (ended chan bool) {
	ended = make(chan bool, 1)
	e.GET("/events", func(c echo.Context) error {
		defer func() { ended <- true }()
		for n := 0; ; n++ {
			fmt.Fprintln(c.Response(), "event", n)
			c.Response().Flush()
			select {
			case more := <-events:
				if !more {
					return nil
				}
			case <-c.Request().Context().Done():
				return nil
			}
		}
	})
	return ended
}

func wantEvent(t *testing.T, lines *bufio.Scanner, n int) {
	t.Helper()
	if want := fmt.Sprint("event ", n); !lines.Scan() || lines.Text() != want {
		t.Fatalf("read %q (%v), want %q", lines.Text(), lines.Err(), want)
	}
}

// TestShutdownHonoursItsContext shuts down while an event stream is open, with Start and StartTLS.
func TestShutdownHonoursItsContext(t *testing.T) {
	cert := selfsigned.NewTest(t, "example.org")
	certPEM, keyPEM := selfsigned.PEM(t, cert)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS=", secure), func(t *testing.T) {
			eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
				e := newEcho()
				events := make(chan bool)
				ended := stream(e, events)
				recyclingecho.Use(e, with(strategy))
				served := make(chan error, 1)
				start, addr, scheme := func() error { return e.Start("127.0.0.1:0") }, e.ListenerAddr, "http://"
				if secure {
					start = func() error { return e.StartTLS("127.0.0.1:0", certPEM, keyPEM) }
					addr, scheme = e.TLSListenerAddr, "https://"
				}
				go func() { served <- start() }()
				tr := transport(cert, false)
				defer tr.CloseIdleConnections()
				resp, err := (&http.Client{Transport: tr}).Get(scheme + started(t, addr).String() + "/events")
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				lines := bufio.NewScanner(resp.Body)
				wantEvent(t, lines, 0)
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				if err := e.Shutdown(ctx); err != context.DeadlineExceeded {
					t.Errorf("Shutdown returned %v, want %v", err, context.DeadlineExceeded)
				}
				if err := <-served; !errors.Is(err, http.ErrServerClosed) {
					t.Errorf("Start returned %v, want %v", err, http.ErrServerClosed)
				}
				events <- true
				wantEvent(t, lines, 1)
				if err := e.Close(); err != nil {
					t.Errorf("Close returned %v", err)
				}
				<-ended
				if lines.Scan() {
					t.Errorf("after Close there is %q", lines.Text())
				}
			})
		})
	}
}

// TestListenerThatIsSetAfterUse checks that such a listener is served like the one that Use has
// set.
func TestListenerThatIsSetAfterUse(t *testing.T) {
	cert := selfsigned.NewTest(t, "example.org")
	certPEM, keyPEM := selfsigned.PEM(t, cert)
	listen := func(network, address string) net.Listener {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		for name, l := range map[string]net.Listener{
			"TCP":     listen("tcp", "127.0.0.1:0"),
			"unix":    listen("unix", filepath.Join(t.TempDir(), "s")),
			"wrapped": struct{ net.Listener }{listen("tcp", "127.0.0.1:0")},
			"nil":     nil,
		} {
			t.Run(name, func(t *testing.T) {
				e := newEcho()
				recyclingecho.Use(e, with(strategy))
				e.Listener = l
				served := make(chan error, 1)
				go func() { served <- e.Start("127.0.0.1:0") }()
				addr := started(t, e.ListenerAddr)
				tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
					return net.Dial(addr.Network(), addr.String())
				}}
				asks(t, tr, "http://example.org", "HTTP/1.1 "+string(strategy))
				ends(t, served, func() error { return e.Shutdown(t.Context()) })
			})
		}
		t.Run("TLS", func(t *testing.T) {
			e := newEcho()
			recyclingecho.Use(e, with(strategy))
			e.TLSListener = tls.NewListener(listen("tcp", "127.0.0.1:0"), &tls.Config{Certificates: []tls.Certificate{cert}})
			served := make(chan error, 1)
			go func() { served <- e.StartTLS("", certPEM, keyPEM) }()
			asks(t, transport(cert, false), "https://"+started(t, e.TLSListenerAddr).String(), "HTTP/1.1 "+string(strategy))
			ends(t, served, e.Close)
		})
	})
}

func TestUnencryptedHTTP2WithPriorKnowledge(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		e := newEcho()
		e.GET("/proto", func(c echo.Context) error { return c.String(http.StatusOK, c.Request().Proto) })
		e.Server.Protocols = new(http.Protocols)
		e.Server.Protocols.SetHTTP1(true)
		e.Server.Protocols.SetUnencryptedHTTP2(true)
		recyclingecho.Use(e, with(strategy))
		served := make(chan error, 1)
		go func() { served <- e.Start("127.0.0.1:0") }()
		url := "http://" + started(t, e.ListenerAddr).String()
		asks(t, new(http.Transport), url, "HTTP/1.1 "+string(strategy))
		tr := &http.Transport{Protocols: new(http.Protocols)}
		tr.Protocols.SetUnencryptedHTTP2(true)
		asks(t, tr, url+"/proto", "HTTP/2.0")
		ends(t, served, func() error { return e.Shutdown(t.Context()) })
	})
}

// TestErrorHandlerIsNotCalledForNobody has an error handler that must not be called, because no
// client has sent a request.
func TestErrorHandlerIsNotCalledForNobody(t *testing.T) {
	e := newEcho()
	e.HTTPErrorHandler = func(error, echo.Context) { t.Error("the error handler was called") }
	entered, leave := make(chan bool), make(chan bool)
	e.GET("/wait", func(c echo.Context) error {
		entered <- true
		<-leave
		return c.NoContent(http.StatusOK)
	})
	recyclingecho.Use(e, func(s *recycling.Server) {
		s.Strategy, s.MaxConns, s.RefuseConns = recycling.Recycling, 1, true
	})
	served := make(chan error, 1)
	go func() { served <- e.Start("127.0.0.1:0") }()
	url := "http://" + started(t, e.ListenerAddr).String()
	answered := make(chan string, 1)
	go func() {
		resp, _ := get(t, url+"/wait")
		answered <- resp.Status
	}()
	<-entered
	resp, body := get(t, url)
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != 503 || !strings.HasPrefix(ct, "application/json") || body != `{"message":"Service Unavailable"}`+"\n" {
		t.Errorf("what is refused got %s, %s, %q", resp.Status, ct, body)
	}
	close(leave)
	if status := <-answered; status != "200 OK" {
		t.Errorf("what is served got %s", status)
	}
	ends(t, served, e.Close)
}
