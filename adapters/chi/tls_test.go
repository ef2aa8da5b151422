package recyclingchi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	recyclingchi "github.com/recycling-go/recycling/adapters/chi"
	recycling "github.com/recycling-go/recycling/core"
)

// TestServeTLSEndsWithSignal ends it with a request in flight.
func TestServeTLSEndsWithSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot send itself a signal here")
	}
	pool, certFile, keyFile := newCertificate(t)
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
			t.Run(proto, func(t *testing.T) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				addr := l.Addr().String()
				l.Close()
				r := chi.NewRouter()
				r.Get("/", func(w http.ResponseWriter, r *http.Request) {
					p, err := os.FindProcess(os.Getpid())
					if err != nil || p.Signal(syscall.SIGTERM) != nil {
						t.Error("cannot send a signal")
					}
					for { // until it accepts no more
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
					TLSClientConfig:   &tls.Config{RootCAs: pool, ServerName: "example.org"},
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

// newCertificate returns a certificate that signs itself, and the files of it and its key.
func newCertificate(t *testing.T) (pool *x509.CertPool, certFile, keyFile string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		DNSNames:              []string{"example.org"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certFile, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return pool, certFile, keyFile
}
