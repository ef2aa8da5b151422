package recyclingecho_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/labstack/echo/v5"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo5"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// A starter is an echo.StartConfig or a recyclingecho.Starter.
type starter interface {
	Start(ctx context.Context, h http.Handler) error
	StartTLS(ctx context.Context, h http.Handler, certFile, keyFile any) error
}

// TestErrorsAreThoseOfEcho compares the errors with those of a StartConfig without Use.
func TestErrorsAreThoseOfEcho(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	certPEM, keyPEM := selfsigned.PEM(t, selfsigned.NewTest(t, "example.org"))
	refused := errors.New("refused")
	plain := func(ctx context.Context, s starter) error { return s.Start(ctx, newEcho()) }
	secure := func(cert, key any) func(context.Context, starter) error {
		return func(ctx context.Context, s starter) error { return s.StartTLS(ctx, newEcho(), cert, key) }
	}
	for name, tt := range map[string]struct {
		set   func(*echo.StartConfig)
		start func(context.Context, starter) error
		want  error // nil for any
	}{
		"address in use":       {func(sc *echo.StartConfig) { sc.Address = taken.Addr().String() }, plain, syscall.EADDRINUSE},
		"the same with TLS":    {func(sc *echo.StartConfig) { sc.Address = taken.Addr().String() }, secure(certPEM, keyPEM), syscall.EADDRINUSE},
		"no port":              {func(sc *echo.StartConfig) { sc.Address = "nope" }, plain, nil},
		"port out of range":    {func(sc *echo.StartConfig) { sc.Address = "127.0.0.1:99999" }, plain, nil},
		"unknown network":      {func(sc *echo.StartConfig) { sc.ListenerNetwork = "unknown" }, plain, nil},
		"no such file":         {func(*echo.StartConfig) {}, secure("none", "none"), nil},
		"no certificate":       {func(*echo.StartConfig) {}, secure([]byte("none"), []byte("none")), nil},
		"of a wrong type":      {func(*echo.StartConfig) {}, secure(1, 2), echo.ErrInvalidCertOrKeyType},
		"of BeforeServeFunc":   {func(sc *echo.StartConfig) { sc.BeforeServeFunc = func(*http.Server) error { return refused } }, plain, refused},
		"certificate is first": {func(sc *echo.StartConfig) { sc.Address = "nope" }, secure(1, 2), echo.ErrInvalidCertOrKeyType},
	} {
		t.Run(name, func(t *testing.T) {
			sc := loopback()
			tt.set(&sc)
			want := tt.start(t.Context(), sc)
			if want == nil || tt.want != nil && !errors.Is(want, tt.want) {
				t.Fatalf("without Use it returns %v, want %v", want, tt.want)
			}
			eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
				got := tt.start(t.Context(), recyclingecho.Use(sc, with(strategy)))
				if got == nil || strings.TrimPrefix(got.Error(), "listener: ") != want.Error() || tt.want != nil && !errors.Is(got, tt.want) {
					t.Errorf("it returns %v, want, as without Use, %v", got, want)
				}
			})
		})
	}
}

// TestErrorFreesTheAddress has a BeforeServeFunc that returns an error when the socket is open.
func TestErrorFreesTheAddress(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		var addr net.Addr
		sc := loopback()
		sc.ListenerAddrFunc = func(a net.Addr) { addr = a }
		sc.BeforeServeFunc = func(*http.Server) error {
			if refuses(addr.String()) {
				t.Error("BeforeServeFunc is called when nobody listens")
			}
			return errors.New("refused")
		}
		if err := recyclingecho.Use(sc, with(strategy)).Start(t.Context(), newEcho()); err == nil {
			t.Error("Start returned nil")
		}
		if !refuses(addr.String()) {
			t.Error("after the error somebody listens")
		}
	})
}

func TestErrorOfSettings(t *testing.T) {
	var addr net.Addr
	sc := loopback()
	sc.ListenerAddrFunc = func(a net.Addr) { addr = a }
	for name, start := range map[string]func(starter) error{
		"Start": func(s starter) error { return s.Start(t.Context(), newEcho()) },
		"StartTLS": func(s starter) error {
			certPEM, keyPEM := selfsigned.PEM(t, selfsigned.NewTest(t, "example.org"))
			return s.StartTLS(t.Context(), newEcho(), certPEM, keyPEM)
		},
	} {
		if err := start(recyclingecho.Use(sc, with("threads"))); err == nil || !strings.Contains(err.Error(), `"threads"`) {
			t.Errorf("with the strategy threads %s returned %v, want an error that names it", name, err)
		}
		if !refuses(addr.String()) {
			t.Errorf("after the error of %s somebody listens", name)
		}
	}
	if err := recyclingecho.Serve(newEcho(), with("threads")); err == nil || !strings.Contains(err.Error(), `"threads"`) {
		t.Errorf("with the strategy threads Serve returned %v, want an error that names it", err)
	}
}

// TestCipherSuitesHaveToBeThoseOfHTTP2 expects the same as from http.Server.ServeTLS.
func TestCipherSuitesHaveToBeThoseOfHTTP2(t *testing.T) {
	certPEM, keyPEM := selfsigned.PEM(t, selfsigned.NewTest(t, "example.org"))
	sc := loopback()
	sc.TLSConfig = &tls.Config{
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA},
		NextProtos:   []string{"h2"},
	}
	if err := recyclingecho.Use(sc).StartTLS(t.Context(), newEcho(), certPEM, keyPEM); err == nil || !strings.Contains(err.Error(), "CipherSuites") {
		t.Errorf("StartTLS returned %v, want an error that names the CipherSuites", err)
	}
}
