package recyclingecho_test

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
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/labstack/echo/v5"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo5"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// startTLS is run with the StartTLS method of the Starter that Use returns.
func startTLS(t testing.TB, sc echo.StartConfig, h http.Handler, cert tls.Certificate, options ...recycling.Option) *app {
	t.Helper()
	certPEM, keyPEM := selfsigned.PEM(t, cert)
	return run(t, sc, func(ctx context.Context, sc echo.StartConfig) error {
		return recyclingecho.Use(sc, options...).StartTLS(ctx, h, certPEM, keyPEM)
	})
}

func TestStartTLS(t *testing.T) {
	cert := selfsigned.NewTest(t, "example.org")
	certPEM, keyPEM := selfsigned.PEM(t, cert)
	certFile, keyFile := selfsigned.Files(t, cert)
	for name, tt := range map[string]struct {
		config    *tls.Config
		cert, key any
		want      string // the protocol of a client that supports HTTP/2
	}{
		"content":        {nil, certPEM, keyPEM, "HTTP/2.0"},
		"files":          {nil, "cert.pem", "key.pem", "HTTP/2.0"},
		"without HTTP/2": {&tls.Config{NextProtos: []string{"http/1.1"}}, certPEM, keyPEM, "HTTP/1.1"},
		"no protocols":   {&tls.Config{}, certPEM, keyPEM, "HTTP/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
				sc := loopback()
				sc.TLSConfig = tt.config
				sc.CertFilesystem = fstest.MapFS{"cert.pem": content(t, certFile), "key.pem": content(t, keyFile)}
				a := run(t, sc, func(ctx context.Context, sc echo.StartConfig) error {
					return recyclingecho.Use(sc, with(strategy)).StartTLS(ctx, newEcho(), tt.cert, tt.key)
				})
				url, want := "https://"+a.addr.String(), tt.want
				asks(t, transport(cert, false), url, "HTTP/1.1 "+string(strategy))
				if want == "HTTP/1.1" {
					want += " " + string(strategy)
				}
				asks(t, transport(cert, true), url, want)
				a.stops(t)
			})
		})
	}
}

func content(t *testing.T, file string) *fstest.MapFile {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: data}
}

func TestOptionMaySetTheTLSConfig(t *testing.T) {
	cert := selfsigned.NewTest(t, "example.org")
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		a := startTLS(t, loopback(), newEcho(), cert, with(strategy), func(s *recycling.Server) {
			s.HTTP.TLSConfig = s.HTTP.TLSConfig.Clone()
			s.HTTP.TLSConfig.MinVersion = tls.VersionTLS13
		})
		tr := transport(cert, false)
		tr.TLSClientConfig.MaxVersion = tls.VersionTLS12
		defer tr.CloseIdleConnections()
		if resp, err := (&http.Client{Transport: tr}).Get("https://" + a.addr.String()); err == nil {
			resp.Body.Close()
			t.Error("a client is served with TLS 1.2, want an error")
		}
		a.stops(t)
	})
}

// TestStartWithTLSConfig serves certificates in the way of an autocert.Manager.
func TestStartWithTLSConfig(t *testing.T) {
	cert := selfsigned.NewTest(t, "example.org")
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		sc := loopback()
		sc.TLSConfig = &tls.Config{
			GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				if hello.ServerName != "example.org" {
					return nil, errors.New("not mine")
				}
				return &cert, nil
			},
			NextProtos: []string{"h2", "http/1.1"},
		}
		a := start(t, sc, newEcho(), with(strategy))
		asks(t, transport(cert, false), "https://"+a.addr.String(), "HTTP/1.1 "+string(strategy))
		asks(t, transport(cert, true), "https://"+a.addr.String(), "HTTP/2.0")
		a.stops(t)
	})
}

// TestHandshakeIsThatOfEcho compares what clients negotiate with a server of StartTLS. Echo does
// not name HTTP/1.1, and clients fall back to it. Whether the protocol is named here is net/http's
// choice.
func TestHandshakeIsThatOfEcho(t *testing.T) {
	cert := selfsigned.NewTest(t, "example.org")
	certPEM, keyPEM := selfsigned.PEM(t, cert)
	own := run(t, loopback(), func(ctx context.Context, sc echo.StartConfig) error {
		return sc.StartTLS(ctx, newEcho(), certPEM, keyPEM)
	})
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		a := startTLS(t, loopback(), newEcho(), cert, with(strategy))
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
			for _, protocols := range [][]string{nil, {"http/1.1"}, {"h2"}, {"http/1.1", "h2"}, {"other"}} {
				agreed := func(addr net.Addr) string {
					c, err := tls.Dial("tcp", addr.String(), &tls.Config{
						RootCAs: selfsigned.Pool(cert), ServerName: "example.org",
						MinVersion: version, MaxVersion: version, NextProtos: protocols,
					})
					if err != nil {
						return err.Error()
					}
					defer c.Close()
					state := c.ConnectionState()
					protocol := strings.TrimPrefix(state.NegotiatedProtocol, "http/1.1")
					return fmt.Sprintf("%#x %q %#x", state.Version, protocol, state.CipherSuite)
				}
				if got, want := agreed(a.addr), agreed(own.addr); got != want {
					t.Errorf("version %#x, protocols %q: the client gets %s, want, as without Use, %s", version, protocols, got, want)
				}
			}
		}
	})
}

func TestGivenTLSListenerIsServed(t *testing.T) {
	cert := selfsigned.NewTest(t, "example.org")
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
		if err != nil {
			t.Fatal(err)
		}
		sc := loopback()
		sc.Listener, sc.TLSConfig = l, new(tls.Config) // not used
		a := start(t, sc, newEcho(), with(strategy))
		asks(t, transport(cert, false), "https://"+a.addr.String(), "HTTP/1.1 "+string(strategy))
		a.stops(t)
	})
}

// TestPlainAndTLS lets an Echo serve both HTTP and HTTPS, as applications do that redirect to
// HTTPS. One context stops both.
func TestPlainAndTLS(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		cert, e := selfsigned.NewTest(t, "example.org"), newEcho()
		plain, secure := start(t, loopback(), e, with(strategy)), startTLS(t, loopback(), e, cert, with(strategy))
		asks(t, new(http.Transport), "http://"+plain.addr.String(), "HTTP/1.1 "+string(strategy))
		asks(t, transport(cert, false), "https://"+secure.addr.String(), "HTTP/1.1 "+string(strategy))
		plain.stops(t)
		asks(t, transport(cert, false), "https://"+secure.addr.String(), "HTTP/1.1 "+string(strategy))
		secure.stops(t)
	})
}

// TestIdleConnectionsPark checks, with and without TLS, that idle connections hold no worker.
func TestIdleConnectionsPark(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("nothing parks here")
	}
	cert := selfsigned.NewTest(t, "example.org")
	const clients = 20
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS=", secure), func(t *testing.T) {
			var s *recycling.Server
			options := func(server *recycling.Server) { s, server.Strategy = server, recycling.Recycling }
			dial := func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }
			a := new(app)
			if secure {
				a = startTLS(t, loopback(), newEcho(), cert, options)
				dial = func(addr string) (net.Conn, error) {
					return tls.Dial("tcp", addr, transport(cert, false).TLSClientConfig)
				}
			} else {
				a = start(t, loopback(), newEcho(), options)
			}
			for range clients {
				nc, err := dial(a.addr.String())
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
			}
			deadline := time.Now().Add(30 * time.Second)
			for s.Stats().Parked < clients {
				if time.Now().After(deadline) {
					t.Fatalf("%+v, want %d parked", s.Stats(), clients)
				}
				time.Sleep(time.Millisecond)
			}
			a.stops(t)
		})
	}
}

// TestServeTLSEndsWithSignal lets a handler send the signal.
func TestServeTLSEndsWithSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send itself a signal here")
	}
	cert := selfsigned.NewTest(t, "example.org")
	certFile, keyFile := selfsigned.Files(t, cert)
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		l.Close()
		e := newEcho()
		e.GET("/end", func(c *echo.Context) error {
			p, err := os.FindProcess(os.Getpid())
			if err != nil || p.Signal(syscall.SIGTERM) != nil {
				t.Error("cannot send a signal")
			}
			for !refuses(addr) {
				time.Sleep(time.Millisecond)
			}
			return c.String(http.StatusOK, "late")
		})
		served := make(chan error, 1)
		go func() {
			served <- recyclingecho.ServeTLS(e, certFile, keyFile, recycling.Addr(addr), with(strategy))
		}()
		for refuses(addr) {
			time.Sleep(time.Millisecond)
		}
		asks(t, transport(cert, true), "https://"+addr, "HTTP/2.0")
		asks(t, transport(cert, false), "https://"+addr+"/end", "late")
		if err := <-served; err != nil {
			t.Errorf("ServeTLS returned %v, want nil", err)
		}
	})
}

// refuses reports whether nobody listens on addr.
func refuses(addr string) bool {
	nc, err := net.Dial("tcp", addr)
	if err == nil {
		nc.Close()
	}
	return err != nil
}
