package recyclingecho_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"
	"golang.org/x/crypto/acme/autocert"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

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

// transport returns a Transport that trusts cert. Without h2 it uses only HTTP/1.1.
func transport(cert tls.Certificate, h2 bool) *http.Transport {
	return &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{RootCAs: selfsigned.Pool(cert), ServerName: "example.org"}}
}
