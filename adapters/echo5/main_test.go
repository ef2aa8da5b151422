package recyclingecho_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v5"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo5"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest/leak"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// TestMain fails if a goroutine of this project outlives the tests.
func TestMain(m *testing.M) { os.Exit(leak.Main(m, "recycling-go")) }

// eachStrategy runs f under every strategy, or under the one that the environment names.
func eachStrategy(t *testing.T, f func(*testing.T, recycling.Strategy)) {
	strategies := []recycling.Strategy{recycling.Goroutine, recycling.Recycling, recycling.Fixed}
	if name := os.Getenv(recycling.EnvStrategy); name != "" {
		strategies = []recycling.Strategy{recycling.Strategy(name)}
	}
	for _, strategy := range strategies {
		t.Run(string(strategy), func(t *testing.T) { f(t, strategy) })
	}
}

func with(strategy recycling.Strategy) recycling.Option {
	return func(s *recycling.Server) { s.Strategy = strategy }
}

// newEcho returns an Echo that responds with the protocol of the request, and with the strategy
// that serves it over HTTP/1. It logs nothing.
func newEcho() *echo.Echo {
	e := echo.New()
	e.Logger = slog.New(slog.DiscardHandler)
	e.GET("/", func(c *echo.Context) error {
		answer := c.Request().Proto
		if c.Request().ProtoMajor == 1 {
			answer += " " + string(recycling.FromContext(c.Request().Context()).Stats().Strategy)
		}
		return c.String(http.StatusOK, answer)
	})
	return e
}

// loopback returns a StartConfig that logs nothing.
func loopback() echo.StartConfig {
	return echo.StartConfig{Address: "127.0.0.1:0", HideBanner: true, HidePort: true, GracefulTimeout: time.Minute}
}

// An app is an Echo that has been started.
type app struct {
	addr   net.Addr
	srv    *http.Server       // the argument of BeforeServeFunc
	cancel context.CancelFunc // cancels the context of Start
	served <-chan error       // receives the error of Start
}

// run calls start with sc, and returns when the server listens. When the test ends, the context is
// cancelled and the server is closed.
func run(t testing.TB, sc echo.StartConfig, start func(context.Context, echo.StartConfig) error) *app {
	t.Helper()
	begun, served, before := make(chan bool, 1), make(chan error, 1), sc.BeforeServeFunc
	ctx, cancel := context.WithCancel(context.Background())
	a := &app{cancel: cancel, served: served}
	sc.ListenerAddrFunc = func(addr net.Addr) { a.addr = addr }
	sc.BeforeServeFunc = func(srv *http.Server) error {
		a.srv = srv
		defer func() { begun <- true }()
		if before != nil {
			return before(srv)
		}
		return nil
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		served <- start(ctx, sc)
	}()
	select {
	case <-begun:
	case err := <-served:
		cancel()
		t.Fatalf("Start returned %v", err)
	}
	t.Cleanup(func() {
		cancel()
		a.srv.Close()
		<-ended
	})
	return a
}

// start is run with the Start method of the Starter that Use returns.
func start(t testing.TB, sc echo.StartConfig, h http.Handler, options ...recycling.Option) *app {
	t.Helper()
	return run(t, sc, func(ctx context.Context, sc echo.StartConfig) error {
		return recyclingecho.Use(sc, options...).Start(ctx, h)
	})
}

// ends waits until Start returns.
func (a *app) ends(t *testing.T) {
	t.Helper()
	select {
	case err := <-a.served:
		if err != nil {
			t.Errorf("Start returned %v, want nil", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Start has not returned")
	}
}

// stops cancels the context of Start, and waits until Start returns.
func (a *app) stops(t *testing.T) {
	t.Helper()
	a.cancel()
	a.ends(t)
}

// serve serves a Server on a loopback address, until the returned function is called.
func serve(t testing.TB, s *recycling.Server) (addr string, stop func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	return l.Addr().String(), func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve returned %v, want %v", err, http.ErrServerClosed)
		}
	}
}

// get requests url with a new client.
func get(t testing.TB, tr *http.Transport, url string) (*http.Response, string) {
	t.Helper()
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 30 * time.Second}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// asks checks the response to a new client that requests url.
func asks(t testing.TB, tr *http.Transport, url, want string) {
	t.Helper()
	if _, body := get(t, tr, url); body != want {
		t.Errorf("the answer is %q, want %q", body, want)
	}
}

// transport returns a Transport that trusts cert. Without h2 it uses only HTTP/1.1.
func transport(cert tls.Certificate, h2 bool) *http.Transport {
	return &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: selfsigned.Pool(cert), ServerName: "example.org"}}
}

// http2WithoutTLS returns a Transport that knows that the server supports HTTP/2 without TLS.
func http2WithoutTLS() *http.Transport {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	return tr
}

// logTo returns a Logger that writes to b, without the time.
func logTo(b *buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// A buffer is written to by a server and read by a test.
type buffer struct {
	mu sync.Mutex // guards following
	b  []byte
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b = append(b.b, p...)
	return len(p), nil
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.b)
}
