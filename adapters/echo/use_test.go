package recyclingecho_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/net/http2"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// newEcho returns an Echo that responds with the protocol of the request and the strategy that
// serves it, and prints nothing.
func newEcho() *echo.Echo {
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	e.GET("/", func(c echo.Context) error {
		s := recycling.FromContext(c.Request().Context())
		return c.String(http.StatusOK, c.Request().Proto+" "+string(s.Stats().Strategy))
	})
	return e
}

func with(strategy recycling.Strategy) recycling.Option {
	return func(s *recycling.Server) { s.Strategy = strategy }
}

// started waits until e reports the address on which it listens, as echo's own tests do.
func started(t testing.TB, addr func() net.Addr) net.Addr {
	deadline := time.Now().Add(30 * time.Second)
	for addr() == nil {
		if time.Now().After(deadline) {
			t.Fatal("e has no address")
		}
		time.Sleep(time.Millisecond)
	}
	return addr()
}

// ends calls end, and checks that Start returns http.ErrServerClosed.
func ends(t *testing.T, served <-chan error, end func() error) {
	t.Helper()
	if err := end(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Start returned %v, want %v", err, http.ErrServerClosed)
	}
}

// asks requests url with a new client, and checks the response.
func asks(t *testing.T, tr *http.Transport, url, want string) {
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

func TestUse(t *testing.T) {
	for _, network := range []string{"tcp", "tcp4"} {
		t.Run(network, func(t *testing.T) {
			eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
				e := newEcho()
				e.ListenerNetwork = network
				entered, leave := make(chan struct{}), make(chan struct{})
				e.GET("/wait", func(c echo.Context) error {
					close(entered)
					<-leave
					return c.String(http.StatusOK, "late")
				})
				recyclingecho.Use(e, with(strategy))
				if a := e.ListenerAddr(); a != nil {
					t.Errorf("before it was started ListenerAddr returned %v, want nil", a)
				}
				served := make(chan error, 1)
				go func() { served <- e.Start(":0") }()
				addr := started(t, e.ListenerAddr)
				if ip := addr.(*net.TCPAddr).IP; network == "tcp4" && ip.To4() == nil {
					t.Errorf("it listens on %v, want IPv4", ip)
				}
				if a := e.TLSListenerAddr(); a != nil {
					t.Errorf("TLSListenerAddr returned %v, want nil", a)
				}
				_, port, _ := net.SplitHostPort(addr.String())
				base := "http://127.0.0.1:" + port
				asks(t, new(http.Transport), base, "HTTP/1.1 "+string(strategy))

				late := make(chan string, 1)
				go func() {
					_, body := get(t, base+"/wait")
					late <- body
				}()
				<-entered
				shut := make(chan error, 1)
				go func() { shut <- e.Shutdown(t.Context()) }()
				select {
				case err := <-shut:
					t.Errorf("Shutdown returned %v while a request was in flight", err)
				case <-time.After(20 * time.Millisecond):
				}
				close(leave)
				if body := <-late; body != "late" {
					t.Errorf("the request in flight got %q, want late", body)
				}
				ends(t, served, func() error { return <-shut })
			})
		})
	}
}

func TestUseWithStartH2CServer(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		e := newEcho()
		recyclingecho.Use(e, with(strategy))
		served := make(chan error, 1)
		h2 := new(http2.Server) //lint:ignore SA1019 StartH2CServer wants it
		go func() { served <- e.StartH2CServer("127.0.0.1:0", h2) }()
		url := "http://" + started(t, e.ListenerAddr).String()
		asks(t, new(http.Transport), url, "HTTP/1.1 "+string(strategy))
		tr := &http.Transport{Protocols: new(http.Protocols)}
		tr.Protocols.SetUnencryptedHTTP2(true)
		asks(t, tr, url, "HTTP/2.0 "+string(strategy))
		ends(t, served, func() error { return e.Shutdown(t.Context()) })
	})
}

func TestUseServer(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		e := newEcho()
		s := &http.Server{Addr: "127.0.0.1:0", ReadTimeout: time.Minute}
		recyclingecho.UseServer(e, s, with(strategy))
		served := make(chan error, 1)
		go func() { served <- e.StartServer(s) }()
		asks(t, new(http.Transport), "http://"+started(t, e.ListenerAddr).String(), "HTTP/1.1 "+string(strategy))
		ends(t, served, func() error { return s.Shutdown(t.Context()) })
	})
}

func TestUseKeepsAListenerThatWasSet(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		cert := selfsigned.NewTest(t, "example.org")
		certPEM, keyPEM := selfsigned.PEM(t, cert)
		e := newEcho()
		var err error
		if e.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		config := &tls.Config{Certificates: []tls.Certificate{cert}}
		if e.TLSListener, err = tls.Listen("tcp", "127.0.0.1:0", config); err != nil {
			t.Fatal(err)
		}
		plain, secure := "http://"+e.Listener.Addr().String(), "https://"+e.TLSListener.Addr().String()
		recyclingecho.Use(e, with(strategy))
		recyclingecho.Use(e, with(strategy)) // calling it twice has no further effect
		served, servedTLS := make(chan error, 1), make(chan error, 1)
		go func() { servedTLS <- e.StartTLS("", certPEM, keyPEM) }()
		started(t, e.TLSListenerAddr)
		go func() { served <- e.Start("") }()
		started(t, e.ListenerAddr)
		asks(t, new(http.Transport), plain, "HTTP/1.1 "+string(strategy))
		asks(t, transport(cert, false), secure, "HTTP/1.1 "+string(strategy))
		ends(t, served, e.Close)
		ends(t, servedTLS, e.Close)
	})
}

func TestUsePrintsWhatEchoPrints(t *testing.T) {
	printed := func(use func(*echo.Echo)) string {
		e, out := echo.New(), new(bytes.Buffer)
		e.Logger.SetOutput(out)
		use(e)
		served := make(chan error, 1)
		go func() { served <- e.Start("127.0.0.1:0") }()
		addr := started(t, e.ListenerAddr).String()
		ends(t, served, e.Close)
		return strings.ReplaceAll(out.String(), addr, "ADDRESS")
	}
	want := printed(func(*echo.Echo) {})
	if got := printed(func(e *echo.Echo) { recyclingecho.Use(e) }); got != want {
		t.Errorf("printed\n%s\nwant, as echo does,\n%s", got, want)
	}
}
