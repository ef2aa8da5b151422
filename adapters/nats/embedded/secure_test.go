package embedded_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	recyclingnats "github.com/recycling-go/recycling/adapters/nats"
	"github.com/recycling-go/recycling/adapters/nats/embedded"
)

// An authority issues certificates.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca", nil)
	return a
}

// issue writes name.crt and name.key. A nil parent means that the certificate is an authority's.
func (a *authority) issue(t testing.TB, name string, parent *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		KeyUsage:    x509.KeyUsageDigitalSignature,
	}
	signer := a.key
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func TestConnectionIsAuthenticatedAndEncrypted(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.issue(t, "server", a.cert)
	a.issue(t, "client", a.cert)
	pair, err := tls.LoadX509KeyPair(a.file("server.crt"), a.file("server.key"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	s, err := embedded.StartOptions(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		TLS: true, TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		},
		Username: "me", Password: "secret",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	good := recyclingnats.Config{
		URL: s.URL(), CA: a.file("ca.crt"), Cert: a.file("client.crt"), Key: a.file("client.key"), User: "me", Password: "secret",
	}
	client, err := recyclingnats.Connect(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	client.Close()

	for name, change := range map[string]func(*recyclingnats.Config){
		"a wrong password":         func(c *recyclingnats.Config) { c.Password = "guessed" },
		"a token instead":          func(c *recyclingnats.Config) { c.User, c.Password, c.Token = "", "", "secret" },
		"no certificate":           func(c *recyclingnats.Config) { c.Cert, c.Key = "", "" },
		"the system's authorities": func(c *recyclingnats.Config) { c.CA = "" },
		"a certificate of someone else": func(c *recyclingnats.Config) {
			other := newAuthority(t)
			other.issue(t, "client", other.cert)
			c.Cert, c.Key = other.file("client.crt"), other.file("client.key")
		},
	} {
		c := good
		change(&c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		client, err := recyclingnats.Connect(ctx, c)
		cancel()
		if err == nil {
			client.Close()
			t.Errorf("%s: connected", name)
			continue
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "guessed") {
			t.Errorf("%s: error is %q, want no password in it", name, err)
		}
	}
}
