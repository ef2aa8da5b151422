package recyclingecho_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/crypto/acme/autocert"
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

func TestUseWithStartTLS(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		cert := selfsigned.NewTest(t, "example.org")
		certPEM, keyPEM := selfsigned.PEM(t, cert)
		for _, tt := range []struct {
			name, proto string
			disable     bool
		}{
			{name: "with HTTP/2", proto: "HTTP/2.0"},
			{name: "without", proto: "HTTP/1.1", disable: true},
		} {
			t.Run(tt.name, func(t *testing.T) {
				e := newEcho()
				e.DisableHTTP2 = tt.disable
				recyclingecho.Use(e, with(strategy))
				served := make(chan error, 1)
				go func() { served <- e.StartTLS("127.0.0.1:0", certPEM, keyPEM) }()
				url := "https://" + started(t, e.TLSListenerAddr).String()
				if tt.disable {
					asks(t, transport(cert, true), url, tt.proto+" "+string(strategy))
				} else {
					// net/http serves it, and does not know the Server.
					e.GET("/proto", func(c echo.Context) error { return c.String(200, c.Request().Proto) })
					asks(t, transport(cert, true), url+"/proto", tt.proto)
					asks(t, transport(cert, false), url, "HTTP/1.1 "+string(strategy))
				}
				ends(t, served, func() error { return e.Shutdown(t.Context()) })
			})
		}
	})
}

// TestUseWithBoth starts e twice, as applications do that redirect HTTP to HTTPS.
func TestUseWithBoth(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		cert := selfsigned.NewTest(t, "example.org")
		certPEM, keyPEM := selfsigned.PEM(t, cert)
		e := newEcho()
		recyclingecho.Use(e, with(strategy))
		served, servedTLS := make(chan error, 1), make(chan error, 1)
		go func() { servedTLS <- e.StartTLS("127.0.0.1:0", certPEM, keyPEM) }()
		started(t, e.TLSListenerAddr)
		go func() { served <- e.Start("127.0.0.1:0") }()
		asks(t, new(http.Transport), "http://"+started(t, e.ListenerAddr).String(), "HTTP/1.1 "+string(strategy))
		asks(t, transport(cert, false), "https://"+e.TLSListenerAddr().String(), "HTTP/1.1 "+string(strategy))
		ends(t, served, func() error { return e.Shutdown(t.Context()) })
		ends(t, servedTLS, e.Close)
	})
}

func TestUseWithStartAutoTLS(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		cert := selfsigned.NewTest(t, "example.org")
		certPEM, keyPEM := selfsigned.PEM(t, cert)
		e := newEcho()
		e.AutoTLSManager.Cache = cache{"example.org": append(keyPEM, certPEM...)}
		recyclingecho.Use(e, with(strategy))
		served := make(chan error, 1)
		go func() { served <- e.StartAutoTLS("127.0.0.1:0") }()
		asks(t, transport(cert, false), "https://"+started(t, e.TLSListenerAddr).String(), "HTTP/1.1 "+string(strategy))
		ends(t, served, func() error { return e.Shutdown(t.Context()) })
	})
}

// A cache has certificates, so that no server needs to be asked for them.
type cache map[string][]byte

func (c cache) Get(_ context.Context, name string) ([]byte, error) {
	if data, ok := c[name]; ok {
		return data, nil
	}
	return nil, autocert.ErrCacheMiss
}
func (c cache) Put(context.Context, string, []byte) error { return nil }
func (c cache) Delete(context.Context, string) error      { return nil }

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

func TestUseServerWithTLS(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		cert := selfsigned.NewTest(t, "example.org")
		e := newEcho()
		s := &http.Server{Addr: "127.0.0.1:0", TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
		recyclingecho.Use(e, with(strategy))
		recyclingecho.UseServer(e, s, with(strategy))
		served, redirecting := make(chan error, 1), make(chan error, 1)
		go func() { served <- e.StartServer(s) }()
		started(t, e.TLSListenerAddr)
		go func() { redirecting <- e.Start("127.0.0.1:0") }()
		asks(t, transport(cert, false), "https://"+e.TLSListenerAddr().String(), "HTTP/1.1 "+string(strategy))
		asks(t, new(http.Transport), "http://"+started(t, e.ListenerAddr).String(), "HTTP/1.1 "+string(strategy))
		ends(t, served, func() error { return s.Shutdown(t.Context()) })
		ends(t, redirecting, func() error { return e.Shutdown(t.Context()) })
	})
}

func TestUnknownServerIsNotServed(t *testing.T) {
	for name, s := range map[string]*http.Server{
		"plain": {Addr: "127.0.0.1:0"},
		"TLS":   {Addr: "127.0.0.1:0", TLSConfig: new(tls.Config)},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEcho()
			recyclingecho.Use(e)
			if err := e.StartServer(s); !errors.Is(err, recyclingecho.ErrServer) {
				t.Errorf("StartServer returned %v, want %v", err, recyclingecho.ErrServer)
			}
			if a, b := e.ListenerAddr(), e.TLSListenerAddr(); a != nil || b != nil {
				t.Errorf("it listens on %v, %v, want nowhere", a, b)
			}
		})
	}
	e := newEcho()
	recyclingecho.UseServer(e, new(http.Server))
	if err := e.Start("127.0.0.1:0"); !errors.Is(err, recyclingecho.ErrServer) {
		t.Errorf("Start returned %v, want %v", err, recyclingecho.ErrServer)
	}
}

// TestStartReturnsTheErrorOfListening starts e with one address after another, which echo allows.
func TestStartReturnsTheErrorOfListening(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		for _, hidePort := range []bool{false, true} {
			e := newEcho()
			e.HidePort = hidePort
			want := e.Start(taken.Addr().String())
			e.Listener = nil
			recyclingecho.Use(e, with(strategy))
			if err := e.Start(taken.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) || !strings.HasSuffix(err.Error(), want.Error()) {
				t.Errorf("Start returned %v, want, as without Use, %v", err, want)
			}
			if a := e.ListenerAddr(); a != nil {
				t.Errorf("then ListenerAddr returned %v, want nil", a)
			}
			served := make(chan error, 1)
			go func() { served <- e.Start("127.0.0.1:0") }()
			get(t, "http://"+started(t, e.ListenerAddr).String()+"/none")
			ends(t, served, e.Close)
		}
	})
}

func TestStartReturnsTheErrorOfSettings(t *testing.T) {
	e := newEcho()
	e.ListenerNetwork = "unix"
	recyclingecho.Use(e)
	if err := e.Start("127.0.0.1:0"); err != echo.ErrInvalidListenerNetwork {
		t.Errorf("with the network unix Start returned %v, want %v", err, echo.ErrInvalidListenerNetwork)
	}
	e = newEcho()
	recyclingecho.Use(e, with("threads"))
	if err := e.Start("127.0.0.1:0"); err == nil || !strings.Contains(err.Error(), `"threads"`) {
		t.Errorf("with the strategy threads Start returned %v, want an error that names it", err)
	}
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

func TestCloseAbandons(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		e := newEcho()
		entered := make(chan struct{})
		e.GET("/wait", func(c echo.Context) error {
			close(entered)
			<-c.Request().Context().Done()
			return nil
		})
		recyclingecho.Use(e, with(strategy))
		served := make(chan error, 1)
		go func() { served <- e.Start("127.0.0.1:0") }()
		url := "http://" + started(t, e.ListenerAddr).String() + "/wait"
		failed := make(chan error, 1)
		go func() {
			resp, err := http.Get(url)
			if err == nil {
				resp.Body.Close()
			}
			failed <- err
		}()
		<-entered
		ends(t, served, e.Close)
		if err := <-failed; err == nil {
			t.Error("the request was answered, want it to be cut off")
		}
	})
}

func TestCloseBeforeStart(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		for name, end := range map[string]func(*echo.Echo) error{
			"Close":    (*echo.Echo).Close,
			"Shutdown": func(e *echo.Echo) error { return e.Shutdown(context.Background()) },
		} {
			e := newEcho()
			recyclingecho.Use(e, with(strategy))
			if err := end(e); err != nil {
				t.Error(err)
			}
			if err := e.Start("127.0.0.1:0"); !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("after %s Start returned %v, want %v", name, err, http.ErrServerClosed)
			}
		}
	})
}

// TestStartWhileClosing closes e at different times during its start.
func TestStartWhileClosing(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				e := newEcho()
				e.HidePort = i%2 == 0
				end := e.Close
				if i%3 == 0 {
					end = func() error { return e.Shutdown(context.Background()) }
				}
				recyclingecho.Use(e, with(strategy))
				served := make(chan error, 1)
				go func() { served <- e.Start("127.0.0.1:0") }()
				time.Sleep(time.Duration(i) * 10 * time.Microsecond)
				ends(t, served, end)
			})
		}
		wg.Wait()
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

// transport returns a Transport that trusts cert. Without h2 it uses only HTTP/1.1.
func transport(cert tls.Certificate, h2 bool) *http.Transport {
	return &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: selfsigned.Pool(cert), ServerName: "example.org"}}
}
