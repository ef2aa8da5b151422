package recyclingchi_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	recyclingchi "github.com/recycling-go/recycling/adapters/chi"
	recycling "github.com/recycling-go/recycling/core"
	"github.com/recycling-go/recycling/core/recyclingtest"
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
		for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
			t.Run(proto, func(t *testing.T) {
				addr := recyclingtest.FreeAddr(t)
				r := chi.NewRouter()
				r.Get("/", func(w http.ResponseWriter, r *http.Request) {
					p, err := os.FindProcess(os.Getpid())
					if err != nil || p.Signal(syscall.SIGTERM) != nil {
						t.Error("cannot send a signal")
					}
					for { // until it stops accepting
						nc, err := net.Dial("tcp", addr)
						if err != nil {
							break
						}
						nc.Close()
						time.Sleep(time.Millisecond)
					}
					io.WriteString(w, r.Proto+" "+string(recycling.FromContext(r.Context()).Stats().Strategy))
				})
				served := make(chan error, 1)
				go func() {
					served <- recyclingchi.ServeTLS(r, certFile, keyFile, recycling.Addr(addr), func(s *recycling.Server) { s.Strategy = strategy })
				}()
				for {
					nc, err := net.Dial("tcp", addr)
					if err == nil {
						nc.Close()
						break
					}
					time.Sleep(time.Millisecond)
				}
				tr := &http.Transport{
					ForceAttemptHTTP2: proto == "HTTP/2.0",
					TLSClientConfig:   &tls.Config{RootCAs: selfsigned.Pool(cert), ServerName: "example.org"},
				}
				defer tr.CloseIdleConnections()
				resp, err := (&http.Client{Transport: tr, Timeout: 30 * time.Second}).Get("https://" + addr)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if body, err := io.ReadAll(resp.Body); string(body) != proto+" "+string(strategy) {
					t.Errorf("the answer is %q (%v), want %s %s", body, err, proto, strategy)
				}
				if err := <-served; err != nil {
					t.Errorf("ServeTLS returned %v, want nil", err)
				}
			})
		}
	})
}

func TestServeTLSReturnsTheErrorOfTheCertificate(t *testing.T) {
	if err := recyclingchi.ServeTLS(chi.NewRouter(), "none", "none", recycling.Addr("127.0.0.1:0")); !os.IsNotExist(err) {
		t.Errorf("ServeTLS returned %v, want that there is no certificate", err)
	}
}
