package recyclingecho_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	recyclingecho "github.com/recycling-go/recycling/adapters/echo"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest/selfsigned"
)

// TestServeTLSEndsWithSignal sends the signal while a request is in flight.
func TestServeTLSEndsWithSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send itself a signal here")
	}
	cert := selfsigned.NewTest(t, "example.org")
	certFile, keyFile := selfsigned.Files(t, cert)
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		e, out, addr := echo.New(), new(bytes.Buffer), make(chan string, 1)
		e.Logger.SetOutput(out)
		e.Server.BaseContext = func(l net.Listener) context.Context {
			addr <- l.Addr().String()
			return context.Background()
		}
		e.GET("/", func(c echo.Context) error {
			p, err := os.FindProcess(os.Getpid())
			if err != nil || p.Signal(syscall.SIGTERM) != nil {
				t.Error("cannot send a signal")
			}
			return c.String(http.StatusOK, c.Request().Proto)
		})
		served := make(chan error, 1)
		go func() {
			served <- recyclingecho.ServeTLS(e, certFile, keyFile, recycling.Addr("127.0.0.1:0"), func(s *recycling.Server) { s.Strategy = strategy })
		}()
		url := "https://" + <-addr
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: selfsigned.Pool(cert), ServerName: "example.org"}}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr, Timeout: 30 * time.Second}).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); string(body) != "HTTP/1.1" {
			t.Errorf("the answer is %q (%v), want HTTP/1.1", body, err)
		}
		if err := <-served; err != nil {
			t.Errorf("ServeTLS returned %v, want nil", err)
		}
		if !strings.Contains(out.String(), "https server started on 127.0.0.1:") {
			t.Errorf("printed\n%s\nwant, as echo does, that it is an https server", out)
		}
	})
}

func TestServeTLSRefusesListener(t *testing.T) {
	e := echo.New()
	e.ListenerNetwork = "unix"
	if err := recyclingecho.ServeTLS(e, "", ""); !errors.Is(err, recyclingecho.ErrListener) {
		t.Errorf("with ListenerNetwork unix ServeTLS returned %v, want %v", err, recyclingecho.ErrListener)
	}
}
