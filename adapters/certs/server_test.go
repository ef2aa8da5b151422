package certs_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/recycling-go/recycling/adapters/certs"
	recycling "github.com/recycling-go/recycling/core"
)

// serve serves with the config of s, and returns the address.
func serve(t *testing.T, s *certs.Source, strategy recycling.Strategy, base *tls.Config) string {
	t.Helper()
	srv := &recycling.Server{
		Strategy: strategy,
		Log:      quiet,
		HTTP: &http.Server{
			TLSConfig: s.TLSConfig(base),
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				name := "nobody"
				if chains := r.TLS.VerifiedChains; len(chains) > 0 {
					name = chains[0][0].Subject.CommonName
				}
				fmt.Fprintf(w, "%s %s resumed=%t", r.Proto, name, r.TLS.DidResume)
			}),
		},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.ServeTLS(l, "", "") }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("ServeTLS returned %v", err)
		}
	})
	return l.Addr().String()
}

func eachStrategy(t *testing.T, f func(*testing.T, recycling.Strategy)) {
	for _, strategy := range []recycling.Strategy{recycling.Goroutine, recycling.Recycling, recycling.Fixed} {
		t.Run(string(strategy), func(t *testing.T) {
			t.Parallel()
			f(t, strategy)
		})
	}
}

// get sends a request on a new connection, and returns the response and the server's certificate.
func get(addr string, config *tls.Config, http2 bool) (string, *x509.Certificate, error) {
	tr := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: http2}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 20 * time.Second}).Get("https://" + addr)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(resp.Body)
	return b.String(), resp.TLS.PeerCertificates[0], err
}

// client returns a config that trusts any server and presents c, if that is not nil.
func client(c *issued) *tls.Config {
	config := &tls.Config{InsecureSkipVerify: true}
	if c != nil {
		config.Certificates = []tls.Certificate{{Certificate: [][]byte{c.cert.Raw}, PrivateKey: c.key}}
	}
	return config
}

func TestServerPresentsTheNewCertificate(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		dir, first, second := t.TempDir(), issue(t, "first", nil), issue(t, "second", nil)
		put(t, dir, first)
		s := load(t, config(dir, quiet))
		addr := serve(t, s, strategy, nil)
		for _, want := range []*issued{first, second} {
			put(t, dir, want)
			await(t, s, want)
			for _, http2 := range []bool{false, true} {
				body, cert, err := get(addr, client(nil), http2)
				if err != nil {
					t.Fatal(err)
				}
				if !cert.Equal(want.cert) {
					t.Errorf("the server presents %v, want %v", cert.Subject, want.cert.Subject)
				}
				if proto := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[http2]; body != proto+" nobody resumed=false" {
					t.Errorf("got %q over %s", body, proto)
				}
			}
		}
	})
}

func TestAuthoritiesOfClientsChange(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		dir := t.TempDir()
		caA, caB := issue(t, "A", nil), issue(t, "B", nil)
		alice, bob := issue(t, "alice", caA), issue(t, "bob", caB)
		put(t, dir, issue(t, "server", nil))
		c := config(dir, quiet)
		c.ClientCAFile = filepath.Join(dir, "clients.crt")
		write(t, c.ClientCAFile, caA.certPEM)
		s := load(t, c)
		addr := serve(t, s, strategy, nil)
		for _, tt := range []struct {
			authorities      []*issued
			aliceMay, bobMay bool
		}{
			{[]*issued{caA}, true, false},
			{[]*issued{caA, caB}, true, true},
			{[]*issued{caB}, false, true},
		} {
			var text []byte
			want := x509.NewCertPool()
			for _, ca := range tt.authorities {
				text = append(text, ca.certPEM...)
				want.AddCert(ca.cert)
			}
			write(t, c.ClientCAFile, text)
			awaitThat(t, "the authorities have changed", func() bool { return s.ClientCAs().Equal(want) })
			for _, http2 := range []bool{false, true} {
				wantMay(t, addr, alice, http2, tt.aliceMay)
				wantMay(t, addr, bob, http2, tt.bobMay)
				wantMay(t, addr, nil, http2, false)
			}
		}
		write(t, c.ClientCAFile, []byte("no PEM"))
		if err := s.Reload(); err == nil {
			t.Error("Reload returned nil")
		}
		wantMay(t, addr, bob, false, true)
	})
}

func wantMay(t *testing.T, addr string, who *issued, http2, may bool) {
	t.Helper()
	body, _, err := get(addr, client(who), http2)
	name := "nobody"
	if who != nil {
		name = who.cert.Subject.CommonName
	}
	proto := map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[http2]
	switch {
	case may && (err != nil || body != proto+" "+name+" resumed=false"):
		t.Errorf("%s over %s got %q, %v", name, proto, body, err)
	case !may && err == nil:
		t.Errorf("%s over %s got %q, want no connection", name, proto, body)
	}
}

func TestSessionOfARemovedAuthorityIsNotResumed(t *testing.T) {
	eachStrategy(t, func(t *testing.T, strategy recycling.Strategy) {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			dir := t.TempDir()
			caA, caB := issue(t, "A", nil), issue(t, "B", nil)
			put(t, dir, issue(t, "server", nil))
			c := config(dir, quiet)
			c.ClientCAFile = filepath.Join(dir, "clients.crt")
			write(t, c.ClientCAFile, caA.certPEM)
			s := load(t, c)
			addr := serve(t, s, strategy, nil)
			alice := client(issue(t, "alice", caA))
			alice.MaxVersion = version
			alice.ServerName = "server" // the key of the cache
			alice.ClientSessionCache = tls.NewLRUClientSessionCache(0)
			for _, want := range []string{"HTTP/1.1 alice resumed=false", "HTTP/1.1 alice resumed=true"} {
				if body, _, err := get(addr, alice, false); err != nil || body != want {
					t.Fatalf("TLS %x: got %q, %v; want %q", version, body, err, want)
				}
			}
			write(t, c.ClientCAFile, caB.certPEM)
			awaitThat(t, "the authorities have changed", func() bool {
				want := x509.NewCertPool()
				want.AddCert(caB.cert)
				return s.ClientCAs().Equal(want)
			})
			if body, _, err := get(addr, alice, false); err == nil {
				t.Errorf("TLS %x: got %q, want no connection", version, body)
			}
		}
	})
}

func TestNextProtosOfTheBaseConfigDisableHTTP2(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := issue(t, "A", nil)
	put(t, dir, issue(t, "server", nil))
	c := config(dir, quiet)
	c.ClientCAFile = filepath.Join(dir, "clients.crt")
	write(t, c.ClientCAFile, ca.certPEM)
	addr := serve(t, load(t, c), recycling.Recycling, &tls.Config{NextProtos: []string{"http/1.1"}})
	body, _, err := get(addr, client(issue(t, "alice", ca)), true)
	if want := "HTTP/1.1 alice resumed=false"; err != nil || body != want {
		t.Errorf("got %q, %v; want %q", body, err, want)
	}
}

func TestBaseConfigIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := issue(t, "A", nil)
	put(t, dir, issue(t, "server", nil))
	c := config(dir, quiet)
	c.ClientCAFile = filepath.Join(dir, "clients.crt")
	write(t, c.ClientCAFile, ca.certPEM)
	s := load(t, c)
	special := s.TLSConfig(&tls.Config{ClientAuth: tls.RequestClientCert, NextProtos: []string{"http/1.1"}})
	special.GetConfigForClient = nil
	base := &tls.Config{
		ClientAuth: tls.VerifyClientCertIfGiven,
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			switch h.ServerName {
			case "special":
				return special, nil
			case "refused":
				return nil, errors.New("refused")
			}
			return nil, nil
		},
	}
	addr := serve(t, s, recycling.Recycling, base)
	if base.GetCertificate != nil || base.ClientCAs != nil {
		t.Error("TLSConfig has changed its argument")
	}
	wantMay(t, addr, nil, false, true) // VerifyClientCertIfGiven
	wantMay(t, addr, issue(t, "alice", ca), true, true)
	old := client(nil)
	old.MaxVersion = tls.VersionTLS12
	if _, _, err := get(addr, old, false); err == nil {
		t.Error("MinVersion has no effect")
	}
	for name, may := range map[string]bool{"special": true, "refused": false} {
		mallory := client(issue(t, "mallory", nil)) // special does not verify
		mallory.ServerName = name
		if _, _, err := get(addr, mallory, false); (err == nil) != may {
			t.Errorf("%s: %v", name, err)
		}
	}
}
